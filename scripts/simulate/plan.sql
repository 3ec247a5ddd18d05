-- What is simulated: machines that load models every night until there are as many
-- loads as requested, last nights first. No generator has a state: every figure is a
-- hash of the seed and of what it belongs to, so the warehouse does not depend on the
-- number of threads.
--
-- Variables: seed, loads, last_night.

-- A key distinguishes things of one kind, a purpose the draws for one key. They are
-- hashed as one integer: a hash of two would not mix all bits.
CREATE TEMP MACRO uniform(key, purpose) AS
    ((hash(xor((key * 64 + purpose)::UBIGINT, getvariable('seed_bits'))) >> 11)::DOUBLE + 0.5) / 9007199254740992.0;
CREATE TEMP MACRO normal(key, purpose) AS
    sqrt(-2 * ln(uniform(key, purpose))) * cos(2 * pi() * uniform(key, purpose + 1));
CREATE TEMP MACRO digits(key, purpose) AS
    lpad(to_hex(hash(xor((key * 64 + purpose)::UBIGINT, getvariable('seed_bits')))), 16, '0');
-- A UUID of version 7 (RFC 9562) for a time.
CREATE TEMP MACRO uuid_at(moment, key, purpose) AS
    (lpad(to_hex(epoch_ms(moment)), 12, '0') || '7' || substr(digits(key, purpose), 1, 3) || '8' || digits(key, purpose + 1)[2:16])::UUID;
SET VARIABLE seed_bits = hash(getvariable('seed')::UBIGINT);

-- More loads mean more machines, models and nights.
SET VARIABLE units = getvariable('loads') / 130.0;
SET VARIABLE machines = greatest(2, floor(getvariable('units') ^ 0.2))::BIGINT;
SET VARIABLE models = greatest(1, least(14, round(getvariable('units') ^ 0.22)))::BIGINT;
SET VARIABLE nights = (2 + getvariable('units') / (getvariable('machines') * getvariable('models')))::BIGINT;
SET VARIABLE days_between = greatest(1, 364 // getvariable('nights'))::BIGINT;

CREATE TEMP TABLE sim_models AS
SELECT row_number() OVER () - 1 AS model_no, *
FROM (VALUES
    ('synthetic/opt-1.3b',      2631516160, 388), ('facebook/opt-6.7b',          13316935680, 516),
    ('synthetic/qwen3-0.6b',    1192099840, 310), ('synthetic/opt-125m',           250478592, 196),
    ('meta-llama/Llama-3.1-8B', 16060522496, 291), ('Qwen/Qwen3-8B',              16381470720, 399),
    ('facebook/opt-13b',        25707970560, 644), ('mistralai/Mistral-7B-v0.3',  14496047104, 291),
    ('Qwen/Qwen3-4B',           8044936192, 398), ('google/gemma-2-9b',           18483411968, 464),
    ('facebook/opt-30b',        59949121536, 772), ('meta-llama/Llama-2-70b-hf', 137953296384, 723),
    ('synthetic/opt-350m',       662392832, 388), ('facebook/opt-66b',          131424681984, 1028)
) AS v(model, bytes, tensors)
QUALIFY model_no < getvariable('models');

-- Three kinds of machine; bandwidths in bytes per second.
CREATE TEMP TABLE sim_machines AS
SELECT i AS machine_no, kind, format('{}-{:02d}', prefix, i // 3 + 1) AS machine, device, gpu_model, cpus, memory_bytes, cpu_model, storage_device, storage_model, hypervisor,
       storage * exp(0.05 * normal(i, 1)) AS storage_bytes_per_s, copy * exp(0.03 * normal(i, 3)) AS copy_bytes_per_s, hypervisor IS NOT NULL AS is_shared
FROM range(getvariable('machines')) r(i)
JOIN (VALUES
    (0, 'vm',   'host',   NULL,                      16,  68719476736, 'AMD EPYC 7763',          'vda',     NULL,                     'kvm', 2.9e9, 19e9),
    (1, 'a100', 'cuda:0', 'NVIDIA A100-SXM4-80GB',   64, 549755813888, 'AMD EPYC 7742',          'nvme0n1', 'SAMSUNG MZQL27T6HBLA',   NULL,  6.4e9, 24e9),
    (2, 'h100', 'cuda:0', 'NVIDIA H100 80GB HBM3',  104, 1099511627776, 'Intel Xeon Platinum 8480', 'nvme1n1', 'KIOXIA KCD8XPUG7T68', NULL,  11.8e9, 47e9)
) AS v(kind, prefix, device, gpu_model, cpus, memory_bytes, cpu_model, storage_device, storage_model, hypervisor, storage, copy) ON kind = i % 3;

-- The share of the machine's bandwidth that each loader reaches, cold and cached.
-- Versions and kernels that change it are the level changes of trend.
CREATE TEMP TABLE sim_arms AS
SELECT row_number() OVER () - 1 AS arm_no, *
FROM (VALUES
    ('random', 'safetensors', 'mmap',          0.26), ('random', 'safetensors', 'mmap-parallel', 0.45),
    ('random', 'safetensors', 'direct',        0.91), ('random', 'sllm',        'pool',          0.80),
    ('random', 'sllm',        'direct',        0.91), ('cached', 'safetensors', 'mmap',          0.50),
    ('cached', 'safetensors', 'mmap-parallel', 0.85), ('cached', 'sllm',        'pool',          0.82),
    ('random', 'sllm',        'raw',           0.94), ('random', 'safetensors', 'pinned',        0.32)
) AS v(benchmark_type, format, loader, share);

-- A collect is one command that measures one model on one machine in one night: main
-- every night, an A/A run now and then, and in the last weeks two branches on the first
-- machine, one of them, slow-copy, slower by an eighth.
CREATE TEMP TABLE sim_collects AS
WITH nights AS (
    SELECT n AS night_no, getvariable('last_night')::TIMESTAMPTZ - to_days((getvariable('nights') - 1 - n) * getvariable('days_between')) AS night,
           n / (getvariable('nights') - 1) AS progress
    FROM range(getvariable('nights')) r(n)
), variants AS (
    FROM (VALUES (0, 'main', false), (1, 'tidy', false), (2, 'slow-copy', false), (3, 'main', true)) v(variant, branch, twins)
)
SELECT ((night_no * getvariable('machines') + machine_no) * getvariable('models') + model_no) * 4 + variant AS collect_no,
       night_no, progress, machine_no, model_no, variant, branch, twins,
       night + to_hours(machine_no) + to_minutes(40 * model_no + 9 * variant) + to_seconds(floor(240 * uniform(collect_no, 1))) AS began_at,
       CASE WHEN progress < 0.5 THEN 'v1.2.0' WHEN progress < 0.8 THEN 'v1.3.0' ELSE 'v1.3.1' END AS sllmq_version,
       CASE WHEN progress < 0.35 + 0.02 * machine_no THEN '6.1.0-28-amd64' ELSE '6.12.9-amd64' END AS kernel,
       CASE WHEN gpu_model IS NULL THEN NULL WHEN progress < 0.65 THEN '550.90.07' ELSE '570.86.15' END AS gpu_driver,
       md5(machine || kernel || coalesce(gpu_driver, ''))[1:16] AS machine_id,
       -- The machine's mood: a slow wave between knots ten nights apart, plus the night's own.
       (1 - night_no % 10 / 10) * 0.02 * normal(machine_no * 100000 + night_no // 10, 5)
           + night_no % 10 / 10 * 0.02 * normal(machine_no * 100000 + night_no // 10 + 1, 5)
           + 0.008 * normal(machine_no * 100000 + night_no, 7) AS mood,
       -- On a bad night a disk or a neighbour causes trouble.
       uniform(machine_no * 100000 + night_no, 9) < 0.02 AS bad_night
FROM nights, sim_machines, sim_models, variants
WHERE variant = 0
   OR (variant IN (1, 2) AND machine_no = 0 AND model_no < 2 AND progress > 0.8)
   OR (variant = 3 AND model_no < 2 AND night_no % 8 = 3);

-- One run per loader, or two with twins. Its loads come in sessions. In a cached run,
-- the first load of each session is a warm-up.
CREATE TEMP TABLE sim_runs AS
WITH runs AS (
    SELECT (collect_no * 10 + arm_no) * 2 + twin AS run_no, c.*, a.*, twin,
           2 + floor(7 * uniform(run_no, 1))::BIGINT AS sessions, 2 + floor(3 * uniform(run_no, 2))::BIGINT AS session_loads,
           uniform(run_no, 3) < 0.05 AS bimodal
    FROM sim_collects c, sim_arms a, range(2) t(twin)
    WHERE (twins OR twin = 0)
      AND (loader <> 'raw' OR night_no % 7 = 0) AND (loader <> 'pinned' OR machine_no % 3 <> 0)
), counted AS (
    SELECT *, sessions * session_loads AS run_loads, sum(sessions * session_loads) OVER (ORDER BY run_no DESC) AS so_far
    FROM runs
)
SELECT counted.* REPLACE (least(run_loads, run_loads - (so_far - getvariable('loads')))::BIGINT AS run_loads),
       model, bytes, tensors, machine, device, storage_bytes_per_s, copy_bytes_per_s, is_shared,
       uuid_at(began_at, collect_no, 10) AS collect_id,
       began_at + to_minutes(2) + to_seconds(50 * arm_no + 20 * twin) AS started_at,
       uuid_at(began_at + to_minutes(2) + to_seconds(50 * arm_no + 20 * twin), run_no, 12) AS run_id,
       CASE WHEN benchmark_type = 'cached' AND format = 'sllm' THEN 'pool' WHEN benchmark_type = 'cached' THEN 'page_cache' ELSE 'storage' END AS tier,
       -- Level changes, as factors of the loading time.
       CASE WHEN loader = 'pool' AND sllmq_version >= 'v1.3.0' THEN 0.87 ELSE 1 END
           * CASE WHEN loader = 'direct' AND sllmq_version >= 'v1.3.1' THEN 1.06 ELSE 1 END
           * CASE WHEN loader LIKE 'mmap%' AND kernel >= '6.12' AND benchmark_type = 'random' THEN 0.91 ELSE 1 END
           * CASE WHEN gpu_driver >= '570' AND benchmark_type = 'cached' THEN 0.92 ELSE 1 END
           * CASE WHEN branch = 'slow-copy' AND benchmark_type = 'cached' THEN 1.125 ELSE 1 END AS level,
       (CASE WHEN benchmark_type = 'random' THEN storage_bytes_per_s ELSE copy_bytes_per_s END) * share AS bytes_per_s,
       -- Rooflines measured before the run.
       storage_bytes_per_s * exp(0.02 * normal(run_no, 14) - mood) AS storage_roofline, copy_bytes_per_s * exp(0.02 * normal(run_no, 16) - mood) AS copy_roofline,
       uniform(run_no, 18) AS generates, uniform(run_no, 19) < 0.002 AND loader IN ('pool', 'direct') AS traced
FROM counted
JOIN sim_models USING (model_no)
JOIN sim_machines USING (machine_no)
WHERE so_far - sessions * session_loads < getvariable('loads')
ORDER BY run_no;
