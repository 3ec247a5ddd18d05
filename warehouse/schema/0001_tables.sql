-- The first schema: the tables of record, one a struct, and what their columns mean.

CREATE TABLE machines (
    machine_id           VARCHAR NOT NULL,
    machine              VARCHAR NOT NULL,
    first_seen_at        TIMESTAMPTZ NOT NULL,
    os                   VARCHAR,
    kernel               VARCHAR,
    arch                 VARCHAR,
    cpu_model            VARCHAR,
    cpus                 BIGINT,
    cpu_sockets          BIGINT,
    numa_nodes           BIGINT,
    memory_bytes         BIGINT,
    hypervisor           VARCHAR,
    gpu_model            VARCHAR,
    gpus                 BIGINT,
    gpu_memory_bytes     BIGINT,
    gpu_driver           VARCHAR,
    mount_point          VARCHAR,
    filesystem           VARCHAR,
    mount_options        VARCHAR,
    storage_device       VARCHAR,
    storage_model        VARCHAR,
    storage_rotational   BOOLEAN,
    storage_scheduler    VARCHAR,
    storage_max_io_bytes BIGINT,
    storage_bytes        BIGINT,
    huge_pages           VARCHAR,
    cpu_governor         VARCHAR,
    PRIMARY KEY (machine_id)
);
COMMENT ON TABLE machines IS 'the hardware and system that runs were measured on; another kernel, driver or storage is another row';
COMMENT ON COLUMN machines.machine_id IS 'digest of the facts of this row, or a name for imported results';
COMMENT ON COLUMN machines.machine IS 'host name, or the name given with --machine';
COMMENT ON COLUMN machines.first_seen_at IS 'when the row was written';
COMMENT ON COLUMN machines.os IS 'name and version of the operating system';
COMMENT ON COLUMN machines.kernel IS 'release of the kernel';
COMMENT ON COLUMN machines.arch IS 'architecture, as Go names it';
COMMENT ON COLUMN machines.cpu_model IS 'model of the CPU';
COMMENT ON COLUMN machines.cpus IS 'logical CPUs that the process may use';
COMMENT ON COLUMN machines.cpu_sockets IS 'physical CPUs';
COMMENT ON COLUMN machines.numa_nodes IS 'NUMA nodes';
COMMENT ON COLUMN machines.memory_bytes IS 'RAM';
COMMENT ON COLUMN machines.hypervisor IS 'who runs the virtual machine; NULL on bare metal';
COMMENT ON COLUMN machines.gpu_model IS 'model of the GPUs';
COMMENT ON COLUMN machines.gpus IS 'number of GPUs';
COMMENT ON COLUMN machines.gpu_memory_bytes IS 'memory of one GPU';
COMMENT ON COLUMN machines.gpu_driver IS 'version of the GPU driver';
COMMENT ON COLUMN machines.mount_point IS 'where the filesystem of the storage path is mounted';
COMMENT ON COLUMN machines.filesystem IS 'type of that filesystem';
COMMENT ON COLUMN machines.mount_options IS 'options of that mount';
COMMENT ON COLUMN machines.storage_device IS 'its block device, as the kernel names it';
COMMENT ON COLUMN machines.storage_model IS 'model of that device';
COMMENT ON COLUMN machines.storage_rotational IS 'whether it is a rotating disk';
COMMENT ON COLUMN machines.storage_scheduler IS 'its I/O scheduler';
COMMENT ON COLUMN machines.storage_max_io_bytes IS 'largest request that the block layer passes on';
COMMENT ON COLUMN machines.storage_bytes IS 'size of the filesystem';
COMMENT ON COLUMN machines.huge_pages IS 'transparent huge pages: always, madvise or never';
COMMENT ON COLUMN machines.cpu_governor IS 'frequency governor of the first CPU';

CREATE TABLE runs (
    run_id              UUID NOT NULL,
    collect_id          UUID NOT NULL,
    machine_id          VARCHAR NOT NULL,
    started_at          TIMESTAMPTZ NOT NULL,
    ended_at            TIMESTAMPTZ,
    status              VARCHAR NOT NULL,
    model               VARCHAR NOT NULL,
    model_source        VARCHAR NOT NULL,
    model_revision      VARCHAR,
    format              VARCHAR NOT NULL,
    loader              VARCHAR NOT NULL,
    device              VARCHAR NOT NULL,
    engine              VARCHAR NOT NULL,
    benchmark_type      VARCHAR NOT NULL,
    dtype               VARCHAR,
    num_replicas        BIGINT NOT NULL,
    sessions            BIGINT NOT NULL,
    seed                BIGINT,
    num_thread          BIGINT,
    chunk_size_bytes    BIGINT,
    mem_pool_size_bytes BIGINT,
    page_cache          VARCHAR,
    replica_mode        VARCHAR,
    checkpoint_bytes    BIGINT,
    checkpoint_files    BIGINT,
    tensors             BIGINT,
    storage_path        VARCHAR,
    sllmq_version       VARCHAR,
    go_version          VARCHAR,
    command_line        VARCHAR,
    pid                 BIGINT,
    boot_id             VARCHAR,
    import_file         VARCHAR,
    import_sha256       VARCHAR,
    error               VARCHAR,
    tags                MAP(VARCHAR, VARCHAR),
    PRIMARY KEY (run_id)
);
COMMENT ON TABLE runs IS 'one benchmark type x model x format x loader x device on one machine, with its configuration';
COMMENT ON COLUMN runs.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN runs.collect_id IS 'shared by the runs of one command';
COMMENT ON COLUMN runs.machine_id IS 'digest of the facts of this row, or a name for imported results';
COMMENT ON COLUMN runs.started_at IS 'when it began (UTC)';
COMMENT ON COLUMN runs.ended_at IS 'when it ended (UTC); NULL while it runs';
COMMENT ON COLUMN runs.status IS 'running, completed, failed (some loads), interrupted, or lost (its collector died)';
COMMENT ON COLUMN runs.model IS 'what is served: a Hub id, a folder, or synthetic/NAME';
COMMENT ON COLUMN runs.model_source IS 'synthetic, local, hub or imported';
COMMENT ON COLUMN runs.model_revision IS 'commit of a Hub model';
COMMENT ON COLUMN runs.format IS 'safetensors or sllm';
COMMENT ON COLUMN runs.loader IS 'technique that brings the checkpoint to the device';
COMMENT ON COLUMN runs.device IS 'where the weights end up: host or cuda:N';
COMMENT ON COLUMN runs.engine IS 'who does the load: native or transformers';
COMMENT ON COLUMN runs.benchmark_type IS 'random or cached';
COMMENT ON COLUMN runs.dtype IS 'type of the weights as asked for';
COMMENT ON COLUMN runs.num_replicas IS 'replicas (random) or counted loads (cached)';
COMMENT ON COLUMN runs.sessions IS 'worker processes that were planned';
COMMENT ON COLUMN runs.seed IS 'of the order of the loads';
COMMENT ON COLUMN runs.num_thread IS 'threads of the loader, where they can be chosen';
COMMENT ON COLUMN runs.chunk_size_bytes IS 'chunk of the pool';
COMMENT ON COLUMN runs.mem_pool_size_bytes IS 'host memory of the pool';
COMMENT ON COLUMN runs.page_cache IS 'what is done with the pages of a replica before a load: drop or keep';
COMMENT ON COLUMN runs.replica_mode IS 'how replicas are made';
COMMENT ON COLUMN runs.checkpoint_bytes IS 'tensor files of one replica';
COMMENT ON COLUMN runs.checkpoint_files IS 'number of those files';
COMMENT ON COLUMN runs.tensors IS 'tensors by name';
COMMENT ON COLUMN runs.storage_path IS 'folder of the replicas';
COMMENT ON COLUMN runs.sllmq_version IS 'version of the program';
COMMENT ON COLUMN runs.go_version IS 'version of Go it was built with';
COMMENT ON COLUMN runs.command_line IS 'as it was typed';
COMMENT ON COLUMN runs.pid IS 'process that wrote it';
COMMENT ON COLUMN runs.boot_id IS 'boot of the machine; with pid tells whether the collector lives';
COMMENT ON COLUMN runs.import_file IS 'name of the file it was imported from';
COMMENT ON COLUMN runs.import_sha256 IS 'SHA-256 of that file';
COMMENT ON COLUMN runs.error IS 'what went wrong; NULL: nothing';
COMMENT ON COLUMN runs.tags IS 'what --tag said';

CREATE TABLE sessions (
    run_id           UUID NOT NULL,
    session          BIGINT NOT NULL,
    started_at       TIMESTAMPTZ NOT NULL,
    pid              BIGINT,
    start_time_s     DOUBLE,
    setup_time_s     DOUBLE,
    pool_bytes       BIGINT,
    pool_locked      BOOLEAN,
    pool_lock_reason VARCHAR,
    PRIMARY KEY (run_id, session)
);
COMMENT ON TABLE sessions IS 'one worker process, and what it cost to be ready';
COMMENT ON COLUMN sessions.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN sessions.session IS 'worker process, counted from 0 in the run';
COMMENT ON COLUMN sessions.started_at IS 'when it began (UTC)';
COMMENT ON COLUMN sessions.pid IS 'process that wrote it';
COMMENT ON COLUMN sessions.start_time_s IS 'from the start of the process to its first answer, set-up left out';
COMMENT ON COLUMN sessions.setup_time_s IS 'filling and locking the pool, starting the device';
COMMENT ON COLUMN sessions.pool_bytes IS 'capacity of the pool';
COMMENT ON COLUMN sessions.pool_locked IS 'whether the pool is page-locked';
COMMENT ON COLUMN sessions.pool_lock_reason IS 'why the pool is not page-locked';

CREATE TABLE loads (
    run_id                     UUID NOT NULL,
    seq                        BIGINT NOT NULL,
    session                    BIGINT NOT NULL,
    started_at                 TIMESTAMPTZ NOT NULL,
    replica                    BIGINT NOT NULL,
    warmup                     BOOLEAN NOT NULL,
    loading_time_s             DOUBLE,
    bytes                      BIGINT,
    tensors                    BIGINT,
    source_tier                VARCHAR,
    file_bytes                 BIGINT,
    resident_before_bytes      BIGINT,
    resident_after_bytes       BIGINT,
    storage_read_bytes         BIGINT,
    direct_io                  BOOLEAN,
    pool_hit                   BOOLEAN,
    cpu_user_s                 DOUBLE,
    cpu_system_s               DOUBLE,
    major_faults               BIGINT,
    minor_faults               BIGINT,
    voluntary_switches         BIGINT,
    involuntary_switches       BIGINT,
    peak_rss_bytes             BIGINT,
    device_memory_before_bytes BIGINT,
    device_memory_after_bytes  BIGINT,
    verified                   BOOLEAN,
    bound                      VARCHAR,
    efficiency                 DOUBLE,
    error                      VARCHAR,
    PRIMARY KEY (run_id, seq)
);
COMMENT ON TABLE loads IS 'one replica brought to the device once';
COMMENT ON COLUMN loads.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN loads.seq IS 'order in the run, from 0, warm-ups counted';
COMMENT ON COLUMN loads.session IS 'worker process, counted from 0 in the run';
COMMENT ON COLUMN loads.started_at IS 'when it began (UTC)';
COMMENT ON COLUMN loads.replica IS 'number of the replica, from 0';
COMMENT ON COLUMN loads.warmup IS 'a load that is not counted';
COMMENT ON COLUMN loads.loading_time_s IS 'from the path to the last byte of the last tensor on the device; NULL: failed';
COMMENT ON COLUMN loads.bytes IS 'bytes moved';
COMMENT ON COLUMN loads.tensors IS 'tensors by name';
COMMENT ON COLUMN loads.source_tier IS 'where the bytes came from, told from evidence: storage, page_cache, pool or mixed';
COMMENT ON COLUMN loads.file_bytes IS 'size of the tensor files';
COMMENT ON COLUMN loads.resident_before_bytes IS 'of those files, in the page cache before the load';
COMMENT ON COLUMN loads.resident_after_bytes IS 'of those files, in the page cache after the load';
COMMENT ON COLUMN loads.storage_read_bytes IS 'fetched from block devices during the load';
COMMENT ON COLUMN loads.direct_io IS 'whether O_DIRECT was in force; NULL: not asked for';
COMMENT ON COLUMN loads.pool_hit IS 'whether the model lay in the pool; NULL: no pool';
COMMENT ON COLUMN loads.cpu_user_s IS 'CPU time of the worker in user mode';
COMMENT ON COLUMN loads.cpu_system_s IS 'CPU time of the worker in the kernel';
COMMENT ON COLUMN loads.major_faults IS 'page faults that waited for storage';
COMMENT ON COLUMN loads.minor_faults IS 'page faults that did not';
COMMENT ON COLUMN loads.voluntary_switches IS 'context switches while waiting';
COMMENT ON COLUMN loads.involuntary_switches IS 'context switches by preemption';
COMMENT ON COLUMN loads.peak_rss_bytes IS 'highest resident memory of the worker so far';
COMMENT ON COLUMN loads.device_memory_before_bytes IS 'allocated on the device before';
COMMENT ON COLUMN loads.device_memory_after_bytes IS 'allocated on the device after';
COMMENT ON COLUMN loads.verified IS 'whether every tensor matched its checksum; NULL: not checked';
COMMENT ON COLUMN loads.bound IS 'what bound the load';
COMMENT ON COLUMN loads.efficiency IS 'roofline time over measured time';
COMMENT ON COLUMN loads.error IS 'what went wrong; NULL: nothing';

CREATE TABLE stages (
    run_id     UUID NOT NULL,
    seq        BIGINT NOT NULL,
    stage      VARCHAR NOT NULL,
    start_s    DOUBLE NOT NULL,
    duration_s DOUBLE NOT NULL,
    busy_s     DOUBLE,
    bytes      BIGINT,
    PRIMARY KEY (run_id, seq, stage)
);
COMMENT ON TABLE stages IS 'the parts of a load, which may overlap in time';
COMMENT ON COLUMN stages.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN stages.seq IS 'order in the run, from 0, warm-ups counted';
COMMENT ON COLUMN stages.stage IS 'open, index, allocate, read, copy, close';
COMMENT ON COLUMN stages.start_s IS 'since the load began';
COMMENT ON COLUMN stages.duration_s IS 'wall time from its first beginning to its last end';
COMMENT ON COLUMN stages.busy_s IS 'summed over threads';
COMMENT ON COLUMN stages.bytes IS 'bytes moved';

CREATE TABLE inferences (
    run_id                  UUID NOT NULL,
    seq                     BIGINT NOT NULL,
    end_to_end_time_s       DOUBLE,
    throughput_tokens_per_s DOUBLE,
    time_to_first_token_s   DOUBLE,
    decode_tokens_per_s     DOUBLE,
    input_tokens            BIGINT,
    output_tokens           BIGINT,
    prompt                  VARCHAR,
    output_text             VARCHAR,
    token_ids_sha256        VARCHAR,
    error                   VARCHAR,
    PRIMARY KEY (run_id, seq)
);
COMMENT ON TABLE inferences IS 'the short generation after a load';
COMMENT ON COLUMN inferences.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN inferences.seq IS 'order in the run, from 0, warm-ups counted';
COMMENT ON COLUMN inferences.end_to_end_time_s IS 'of the generation';
COMMENT ON COLUMN inferences.throughput_tokens_per_s IS 'tokens of prompt and output over the end-to-end time';
COMMENT ON COLUMN inferences.time_to_first_token_s IS 'until the first token';
COMMENT ON COLUMN inferences.decode_tokens_per_s IS 'tokens after the first over the time they took';
COMMENT ON COLUMN inferences.input_tokens IS 'tokens of the prompt';
COMMENT ON COLUMN inferences.output_tokens IS 'tokens generated';
COMMENT ON COLUMN inferences.prompt IS 'text given';
COMMENT ON COLUMN inferences.output_text IS 'text of prompt and output';
COMMENT ON COLUMN inferences.token_ids_sha256 IS 'digest of the output token ids';
COMMENT ON COLUMN inferences.error IS 'what went wrong; NULL: nothing';

CREATE TABLE samples (
    run_id     UUID NOT NULL,
    sampled_at TIMESTAMPTZ NOT NULL,
    source     VARCHAR NOT NULL,
    metric     VARCHAR NOT NULL,
    value      DOUBLE NOT NULL,
    PRIMARY KEY (run_id, sampled_at, source, metric)
);
COMMENT ON TABLE samples IS 'telemetry in time';
COMMENT ON COLUMN samples.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN samples.sampled_at IS 'when (UTC)';
COMMENT ON COLUMN samples.source IS 'what was looked at';
COMMENT ON COLUMN samples.metric IS 'what of it, its unit in the name';
COMMENT ON COLUMN samples.value IS 'in the unit of the metric';

CREATE TABLE io_trace (
    run_id       UUID NOT NULL,
    seq          BIGINT NOT NULL,
    chunk        BIGINT NOT NULL,
    file         VARCHAR NOT NULL,
    offset_bytes BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    queued_s     DOUBLE,
    start_s      DOUBLE NOT NULL,
    duration_s   DOUBLE NOT NULL,
    copied_s     DOUBLE,
    thread       BIGINT NOT NULL,
    PRIMARY KEY (run_id, seq, chunk)
);
COMMENT ON TABLE io_trace IS 'one row a chunk of a load';
COMMENT ON COLUMN io_trace.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN io_trace.seq IS 'order in the run, from 0, warm-ups counted';
COMMENT ON COLUMN io_trace.chunk IS 'number of the chunk in the load';
COMMENT ON COLUMN io_trace.file IS 'name of the file';
COMMENT ON COLUMN io_trace.offset_bytes IS 'place in the file';
COMMENT ON COLUMN io_trace.bytes IS 'bytes moved';
COMMENT ON COLUMN io_trace.queued_s IS 'when it was asked for, since the load began';
COMMENT ON COLUMN io_trace.start_s IS 'since the load began';
COMMENT ON COLUMN io_trace.duration_s IS 'wall time from its first beginning to its last end';
COMMENT ON COLUMN io_trace.copied_s IS 'when it was on the device, since the load began';
COMMENT ON COLUMN io_trace.thread IS 'number of the thread that read it';

CREATE TABLE rooflines (
    roofline_id           UUID NOT NULL,
    machine_id            VARCHAR NOT NULL,
    run_id                UUID,
    session               BIGINT,
    measured_at           TIMESTAMPTZ NOT NULL,
    kind                  VARCHAR NOT NULL,
    method                VARCHAR,
    threads               BIGINT,
    depth                 BIGINT,
    io_size_bytes         BIGINT,
    bytes                 BIGINT NOT NULL,
    duration_s            DOUBLE NOT NULL,
    bandwidth_bytes_per_s DOUBLE NOT NULL,
    PRIMARY KEY (roofline_id)
);
COMMENT ON TABLE rooflines IS 'what a machine could do at best';
COMMENT ON COLUMN rooflines.roofline_id IS 'UUIDv7';
COMMENT ON COLUMN rooflines.machine_id IS 'digest of the facts of this row, or a name for imported results';
COMMENT ON COLUMN rooflines.run_id IS 'UUIDv7 of the run; of an imported run, derived from the content of its file';
COMMENT ON COLUMN rooflines.session IS 'worker process, counted from 0 in the run';
COMMENT ON COLUMN rooflines.measured_at IS 'when (UTC)';
COMMENT ON COLUMN rooflines.kind IS 'storage_read, memory_copy or host_to_device';
COMMENT ON COLUMN rooflines.method IS 'how it was measured';
COMMENT ON COLUMN rooflines.threads IS 'threads at work';
COMMENT ON COLUMN rooflines.depth IS 'requests in flight';
COMMENT ON COLUMN rooflines.io_size_bytes IS 'size of a request';
COMMENT ON COLUMN rooflines.bytes IS 'bytes moved';
COMMENT ON COLUMN rooflines.duration_s IS 'wall time from its first beginning to its last end';
COMMENT ON COLUMN rooflines.bandwidth_bytes_per_s IS 'bytes over duration';
