"""Holds the questions, the export and the import of a warehouse against what
DuckDB itself (the Python package of the same version) takes for the same SQL.

    python scripts/bench/warehouse.py SLLMQ WAREHOUSE SCRATCH [ROUNDS [PART]]

Both answer into /dev/null as CSV, in turns; times are medians of ROUNDS (5) and
of whole processes on our side. SCRATCH is a folder for the data sets. PART is
one of questions, copies (export and import); without it, all are timed.
"""

import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import duckdb

SLLMQ, WAREHOUSE, SCRATCH = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
PART = sys.argv[5] if len(sys.argv) > 5 else ""
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
TABLES = ["machines", "runs", "sessions", "loads", "stages", "inferences", "samples", "io_trace", "rooflines"]


def sllmq(*arguments: str, warehouse: str = WAREHOUSE) -> str:
    return subprocess.run([SLLMQ, *arguments, "--warehouse", warehouse], check=True, capture_output=True, text=True).stdout


def timed(work) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def ask(arguments: list[str]) -> None:
    with open("/dev/null", "w") as nowhere:
        subprocess.run([SLLMQ, *arguments, "--format", "csv", "--warehouse", WAREHOUSE], check=True, stdout=nowhere)


def own(statement: str) -> None:
    with duckdb.connect(WAREHOUSE, read_only=True) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(f"COPY ({statement.strip().rstrip(';')}) TO '/dev/null' (FORMAT csv)")


def row(name: str, ours: list[float], theirs: list[float], more: str = "") -> None:
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{name:<22}{a:>9.2f}{b:>9.2f}{a / b:>8.2f}  {more}".rstrip(), flush=True)


def questions() -> None:
    named = [line.split()[0] for line in sllmq("query").splitlines() if line[:1].isalpha() and not line.startswith("sllmq ")]
    statements = {"summary": (["summary"], sllmq("summary", "--show-sql"))}
    for name in named:
        statements["query " + name] = (["query", name], sllmq("query", name, "--show-sql"))
    for name, (arguments, statement) in statements.items():
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: ask(arguments)))
            theirs.append(timed(lambda: own(statement)))
        row(name, ours, theirs)


def copies(out: pathlib.Path) -> None:
    out.mkdir(parents=True)
    with duckdb.connect(WAREHOUSE, read_only=True) as db:
        for table in TABLES:
            db.execute(f"COPY {table} TO '{out}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def export() -> pathlib.Path:
    ours, theirs = [], []
    mine, plain = SCRATCH / "export", SCRATCH / "copy"
    for _ in range(ROUNDS):
        for folder in (mine, plain):
            shutil.rmtree(folder, ignore_errors=True)
        ours.append(timed(lambda: sllmq("export", "--to", str(mine))))
        theirs.append(timed(lambda: copies(plain)))
    row("export", ours, theirs, "beside COPY of each table, zstd")
    shutil.rmtree(plain)
    return mine


def load(folder: pathlib.Path, into: pathlib.Path, schema: str) -> None:
    """What DuckDB takes to insert the same files into the same tables with their
    keys."""
    with duckdb.connect(str(into)) as db:
        db.execute(schema)
        for table in TABLES:
            files = str(folder / table / "**/*.parquet")
            if list((folder / table).rglob("*.parquet")):
                db.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet('{files}', union_by_name = true, hive_partitioning = false)")


def imports(folder: pathlib.Path) -> None:
    with duckdb.connect(WAREHOUSE, read_only=True) as db:
        rows = sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)
        schema = ";".join(sql for (sql,) in db.execute("SELECT sql FROM duckdb_tables() WHERE table_name IN (SELECT unnest(?))", [TABLES]).fetchall())
    ours, theirs = [], []
    for _ in range(max(1, ROUNDS // 2)):
        for name in ("ours.duckdb", "theirs.duckdb"):
            (SCRATCH / name).unlink(missing_ok=True)
        ours.append(timed(lambda: sllmq("import", str(folder), warehouse=str(SCRATCH / "ours.duckdb"))))
        theirs.append(timed(lambda: load(folder, SCRATCH / "theirs.duckdb", schema)))
    row("import", ours, theirs, f"{rows / statistics.median(ours) / 1e6:.2f} million rows a second, of {rows / 1e6:.1f} million")


def main() -> None:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(WAREHOUSE, read_only=True) as db:
        loads = db.execute("SELECT count(*) FROM loads").fetchone()[0]
    print(f"{loads} loads; DuckDB {duckdb.__version__}; medians of {ROUNDS}, in seconds\n{'':<22}{'sllmq':>9}{'DuckDB':>9}{'ratio':>8}")
    if PART != "copies":
        questions()
    if PART != "questions":
        imports(export())
    shutil.rmtree(SCRATCH)


if __name__ == "__main__":
    main()
