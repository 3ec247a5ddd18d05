-- The rows for plan.sql, table by table.

INSERT INTO machines BY NAME
SELECT machine_id, any_value(machine) AS machine, min(began_at) AS first_seen_at, 'Debian GNU/Linux 13 (trixie)' AS os, any_value(kernel) AS kernel, 'amd64' AS arch,
       any_value(cpu_model) AS cpu_model, any_value(cpus) AS cpus, any_value(cpus) // 64 + 1 AS cpu_sockets, any_value(cpus) // 64 + 1 AS numa_nodes, any_value(memory_bytes) AS memory_bytes,
       any_value(hypervisor) AS hypervisor, any_value(gpu_model) AS gpu_model, CASE WHEN any_value(gpu_model) IS NULL THEN 0 ELSE 8 END AS gpus,
       CASE WHEN any_value(gpu_model) IS NULL THEN NULL ELSE 85899345920 END AS gpu_memory_bytes, any_value(gpu_driver) AS gpu_driver,
       '/mnt/models' AS mount_point, 'xfs' AS filesystem, 'rw,noatime' AS mount_options, any_value(storage_device) AS storage_device, any_value(storage_model) AS storage_model,
       false AS storage_rotational, 'none' AS storage_scheduler, 1310720 AS storage_max_io_bytes, 7681501126656 AS storage_bytes, 'madvise' AS huge_pages,
       CASE WHEN any_value(hypervisor) IS NULL THEN 'performance' END AS cpu_governor
FROM sim_collects JOIN sim_machines USING (machine_no)
WHERE collect_no IN (SELECT collect_no FROM sim_runs)
GROUP BY machine_id
ORDER BY ALL;

INSERT INTO sessions BY NAME
SELECT run_id, session, started_at + to_seconds(5 * session) AS started_at, 2000 + run_no % 30000 AS pid, 0.006 * exp(0.2 * normal(run_no * 16 + session, 20)) AS start_time_s,
       CASE WHEN loader = 'pool' THEN bytes / 9e9 ELSE 0.05 END * exp(0.1 * normal(run_no * 16 + session, 22)) AS setup_time_s,
       CASE WHEN loader = 'pool' THEN 34359738368 END AS pool_bytes, CASE WHEN loader = 'pool' THEN true END AS pool_locked
FROM sim_runs, range(sessions) s(session)
WHERE session * session_loads < run_loads;

-- Times: bytes over the loader's bandwidth, times the level, the machine's mood, the
-- session's luck, a tilt within the session, the load's own noise, a second mode in some
-- runs, and, rarely, an outlier.
CREATE TEMP TABLE sim_loads AS
WITH drawn AS (
    SELECT run_no, seq, seq // session_loads AS session, run_no * 64 + seq AS load_no, run_no * 16 + seq // session_loads AS session_no,
           benchmark_type = 'cached' AND seq % session_loads = 0 AS warmup,
           uniform(load_no, 1) AS luck,
           luck < CASE WHEN bad_night THEN 0.04 ELSE 0.0015 END AS failed,
           (bytes / bytes_per_s + 0.002 + 6e-6 * tensors) * level
               * exp(mood + 0.015 * normal(session_no, 24) + 0.006 * (uniform(session_no, 26) - 0.5) * (seq % session_loads) + 0.012 * normal(load_no, 2) - 0.01 * ln(uniform(load_no, 4)))
               * CASE WHEN bimodal AND uniform(load_no, 5) < 0.35 THEN 1.3 ELSE 1 END
               * CASE WHEN uniform(load_no, 6) < CASE WHEN is_shared THEN 0.012 ELSE 0.003 END THEN 1.3 + 2 * uniform(load_no, 7) ELSE 1 END
               * CASE WHEN bad_night AND is_shared THEN 1.2 ELSE 1 END
               * CASE WHEN warmup THEN 2.2 ELSE 1 END AS loading_time_s,
           uniform(load_no, 8) < 0.004 AND tier = 'storage' AND loader LIKE 'mmap%' AS half_cold
    FROM sim_runs, range(run_loads) l(seq)
)
SELECT run_no, seq, session, load_no, warmup, luck, failed, half_cold, CASE WHEN half_cold THEN 0.7 ELSE 1 END * loading_time_s AS loading_time_s
FROM drawn;

INSERT INTO loads BY NAME
WITH rates AS (
    SELECT r.*, l.* EXCLUDE (run_no, loading_time_s), loading_time_s AS would_take_s,
           CASE WHEN NOT failed THEN loading_time_s END AS loading_time_s,
           CASE WHEN half_cold THEN bytes // 2 WHEN tier = 'storage' THEN bytes ELSE 0 END AS storage_read_bytes,
           started_at + to_microseconds((1e6 * (2 + would_take_s) * seq)::BIGINT) AS load_at
    FROM sim_loads l JOIN sim_runs r USING (run_no)
)
SELECT run_id, seq, session, load_at AS started_at, CASE WHEN benchmark_type = 'random' THEN (seq * 7 + run_no) % session_loads ELSE 0 END AS replica, warmup, loading_time_s,
       CASE WHEN NOT failed THEN bytes END AS bytes, CASE WHEN NOT failed THEN tensors END AS tensors,
       CASE WHEN failed THEN NULL WHEN half_cold THEN 'mixed' WHEN warmup THEN 'storage' ELSE tier END AS source_tier,
       bytes + 22376 AS file_bytes, CASE WHEN tier = 'page_cache' AND NOT warmup THEN file_bytes WHEN half_cold THEN bytes // 2 ELSE 0 END AS resident_before_bytes,
       CASE WHEN loader LIKE 'mmap%' OR loader = 'pinned' THEN file_bytes ELSE 0 END AS resident_after_bytes,
       CASE WHEN failed THEN 0 WHEN warmup THEN bytes ELSE storage_read_bytes END AS storage_read_bytes,
       CASE WHEN loader IN ('pool', 'direct', 'raw') THEN true END AS direct_io, CASE WHEN loader = 'pool' THEN tier = 'pool' AND NOT warmup END AS pool_hit,
       would_take_s * 0.3 AS cpu_user_s, would_take_s * 0.5 AS cpu_system_s, CASE WHEN loader LIKE 'mmap%' AND tier = 'storage' THEN bytes // 131072 ELSE 0 END AS major_faults,
       500 + bytes // 4194304 AS minor_faults, 100 + bytes // 1048576 AS voluntary_switches, floor(80 * uniform(load_no, 9))::BIGINT AS involuntary_switches,
       bytes + 260000000 AS peak_rss_bytes, 0 AS device_memory_before_bytes, CASE WHEN NOT failed THEN bytes ELSE 0 END AS device_memory_after_bytes,
       CASE WHEN NOT failed AND seq < session_loads THEN true END AS verified,
       storage_read_bytes / storage_roofline AS storage_bound_s, bytes / copy_roofline AS copy_bound_s, would_take_s * 0.8 / 4 AS cpu_bound_s,
       CASE WHEN failed THEN NULL WHEN cpu_bound_s > greatest(storage_bound_s, copy_bound_s) THEN 'cpu' WHEN storage_bound_s > copy_bound_s THEN 'storage' ELSE 'copy' END AS bound,
       greatest(storage_bound_s, copy_bound_s) / loading_time_s AS efficiency,
       CASE WHEN NOT failed THEN NULL
            WHEN luck * 1e6 % 3 < 1 THEN 'the worker was killed: signal 9'
            WHEN luck * 1e6 % 3 < 2 THEN 'read model-00002-of-00003.safetensors: input/output error'
            ELSE 'tensor model.layers.7.mlp.down_proj.weight does not match its checksum' END AS error,
       CASE WHEN loader = 'pool' THEN 0 END AS pool_evicted_bytes, CASE WHEN loader = 'pool' THEN bytes > 34359738368 END AS pool_streamed,
       storage_read_bytes AS storage_device_read_bytes, storage_read_bytes // 1048576 AS storage_device_reads, CASE WHEN tier = 'storage' THEN 0.95 * would_take_s ELSE 0 END AS storage_device_busy_s,
       0.1 * would_take_s * uniform(load_no, 10) AS cpu_pressure_s, 0 AS memory_pressure_s, CASE WHEN tier = 'storage' THEN 0.6 * would_take_s ELSE 0 END AS io_pressure_s,
       would_take_s AS machine_cpu_s, CASE WHEN is_shared THEN would_take_s * CASE WHEN bad_night THEN 0.08 ELSE 0.004 * uniform(load_no, 11) END ELSE 0 END AS steal_s, 0 AS throttled_s
FROM rates;

-- Stages follow each other, except in loaders that read and copy at once.
INSERT INTO stages BY NAME
WITH timed AS (
    SELECT run_id, seq, loading_time_s AS t, bytes, tensors, loader IN ('pool', 'direct') AS reads_ahead, tier <> 'storage' AS near, 0.0004 + 3e-6 * tensors AS indexing
    FROM sim_loads JOIN sim_runs USING (run_no)
    WHERE NOT failed
)
SELECT run_id, seq, stage,
       CASE stage WHEN 'index' THEN 1e-6 WHEN 'allocate' THEN indexing WHEN 'open' THEN 1.1 * indexing WHEN 'copy' THEN CASE WHEN reads_ahead AND NOT near THEN 1.2 * indexing + 0.04 * t ELSE 1.2 * indexing END ELSE 1.2 * indexing END AS start_s,
       CASE stage WHEN 'index' THEN indexing WHEN 'allocate' THEN 0.1 * indexing WHEN 'open' THEN 0.1 * indexing WHEN 'copy' THEN t - start_s ELSE 0.96 * (t - start_s) END AS duration_s,
       duration_s * CASE WHEN stage IN ('read', 'copy') THEN 4 ELSE 1 END AS busy_s,
       CASE WHEN stage IN ('read', 'copy', 'allocate') THEN bytes END AS bytes
FROM timed, (VALUES ('index'), ('allocate'), ('open'), ('read'), ('copy')) v(stage)
WHERE stage <> 'read' OR (reads_ahead AND NOT near);

INSERT INTO inferences BY NAME
SELECT run_id, seq, 0.4 + 50 / tokens AS end_to_end_time_s, (9 + 50) / end_to_end_time_s AS throughput_tokens_per_s, 0.4 AS time_to_first_token_s, tokens AS decode_tokens_per_s, 9 AS input_tokens, 50 AS output_tokens,
       'The quick brown fox jumps over the lazy dog.' AS prompt, 'The quick brown fox jumps over the lazy dog. It is said of ' || model || ' that it always goes on like this.' AS output_text,
       sha256(model) AS token_ids_sha256, 50 AS max_new_tokens, 0 AS temperature, 1 AS top_p, 4 AS threads
FROM (SELECT *, exp(0.05 * normal(load_no, 12)) * CASE WHEN device = 'host' THEN 1.6e11 / bytes ELSE 7e11 / bytes END AS tokens FROM sim_loads JOIN sim_runs USING (run_no))
WHERE NOT failed AND loader <> 'raw' AND (generates < 0.1 OR (generates < 0.8 AND seq % session_loads = 0));

INSERT INTO rooflines BY NAME
SELECT uuid_at(started_at, run_no, 20 + 2 * k) AS roofline_id, machine_id, run_id, 0 AS session, started_at AS measured_at, kind,
       CASE k WHEN 0 THEN 'pread, O_DIRECT' ELSE 'memmove' END AS method, CASE k WHEN 0 THEN 16 ELSE 4 END AS threads, CASE k WHEN 0 THEN 16 END AS depth,
       CASE k WHEN 0 THEN 4194304 END AS io_size_bytes, 1073741824 AS bytes, 1073741824 / bandwidth AS duration_s, bandwidth AS bandwidth_bytes_per_s
FROM (SELECT *, CASE k WHEN 0 THEN storage_roofline ELSE copy_roofline END AS bandwidth FROM sim_runs, (VALUES (0, 'storage_read'), (1, 'memory_copy')) v(k, kind));

-- A sweep by tune on each machine, on the last night.
INSERT INTO rooflines BY NAME
SELECT uuid_at(getvariable('last_night')::TIMESTAMPTZ, key, 30) AS roofline_id, machine_id, getvariable('last_night')::TIMESTAMPTZ + to_hours(machine_no) AS measured_at, 'storage_read' AS kind, 'pread, O_DIRECT' AS method,
       depth AS threads, depth, io_size_bytes, 1073741824 AS bytes, 1073741824 / bandwidth AS duration_s, bandwidth AS bandwidth_bytes_per_s
FROM (
    SELECT *, ((machine_no * 64 + depth) * 64 + io) * 8 + trial AS key, 1048576 << io AS io_size_bytes,
           storage_bytes_per_s * (1 - exp(-depth * io_size_bytes / 16e6)) * CASE WHEN depth * io_size_bytes > 2e8 THEN 0.93 ELSE 1 END * exp(0.02 * normal(key, 32)) AS bandwidth
    FROM (SELECT machine_no, max_by(machine_id, began_at) AS machine_id FROM sim_runs GROUP BY machine_no) JOIN sim_machines USING (machine_no),
         (VALUES (1), (2), (4), (8), (16), (32)) d(depth), range(-2, 5) i(io), range(3) t(trial)
    WHERE io >= 0
);

-- Requests of the first load of a few runs, and samples taken during them.
INSERT INTO io_trace BY NAME
SELECT run_id, seq, chunk, CASE WHEN format = 'sllm' THEN 'tensor.data_0' ELSE 'model.safetensors' END AS file, chunk * size AS offset_bytes, least(size, bytes - chunk * size) AS bytes,
       0.01 * t AS queued_s, queued_s + wave * t / waves * 0.95 AS start_s, t / waves * 0.9 * exp(0.15 * normal(run_no * 4096 + chunk, 34)) AS duration_s, least(t, start_s + duration_s * 1.1) AS copied_s, chunk % depth AS thread
FROM (
    SELECT *, loading_time_s AS t, greatest(4194304, bytes // 1000) AS size, 16 AS depth, ceil(ceil(bytes / size) / depth) AS waves, chunk // depth AS wave
    FROM sim_loads JOIN sim_runs USING (run_no), range(1001) c(chunk)
    WHERE traced AND seq = 0 AND NOT failed
)
WHERE chunk * size < bytes;

INSERT INTO samples BY NAME
SELECT run_id, started_at + to_milliseconds(100 * tick) AS sampled_at, source, metric,
       CASE metric WHEN 'read_bytes_per_s' THEN storage_roofline * 0.9 * (tick % 40 < 30)::INT * exp(0.05 * normal(run_no * 512 + tick, 36))
                   WHEN 'busy_share' THEN 0.95 * (tick % 40 < 30)::INT
                   WHEN 'busy_cores' THEN 2 + 2 * uniform(run_no * 512 + tick, 38)
                   WHEN 'stolen_cores' THEN CASE WHEN bad_night THEN 0.4 ELSE 0 END
                   WHEN 'available_bytes' THEN 5e10 - bytes * (tick % 40 < 30)::INT
                   ELSE bytes * (tick % 40) / 40 END AS "value"
FROM sim_runs, range(200) t(tick), (VALUES ('disk', 'read_bytes_per_s'), ('disk', 'busy_share'), ('cpu', 'busy_cores'), ('cpu', 'stolen_cores'), ('memory', 'available_bytes'), ('worker', 'resident_bytes')) v(source, metric)
WHERE traced;

-- Runs last: their ends are known now.
INSERT INTO runs BY NAME
SELECT run_id, collect_id, machine_id, started_at, started_at + to_microseconds((1e6 * total_s)::BIGINT) AS ended_at, CASE WHEN failures > 0 THEN 'failed' ELSE 'completed' END AS status,
       model, CASE WHEN model LIKE 'synthetic/%' THEN 'synthetic' ELSE 'hub' END AS model_source, CASE WHEN model NOT LIKE 'synthetic/%' THEN sha1(model) END AS model_revision,
       format, loader, device, 'native' AS engine, benchmark_type, 'float16' AS dtype, CASE WHEN benchmark_type = 'random' THEN session_loads ELSE session_loads - 1 END AS num_replicas, sessions, run_no % 1000 AS seed,
       4 AS num_thread, 16777216 AS chunk_size_bytes, CASE WHEN loader = 'pool' THEN 34359738368 END AS mem_pool_size_bytes, CASE benchmark_type WHEN 'random' THEN 'drop' ELSE 'keep' END AS page_cache,
       'copy' AS replica_mode, bytes + 22376 AS checkpoint_bytes, 1 + bytes // 10000000000 AS checkpoint_files, tensors, '/mnt/models' AS storage_path, sllmq_version, 'go1.26.8' AS go_version,
       'sllmq collect --model-name ' || model || ' --benchmark-type random,cached --tag branch=' || branch || CASE WHEN twins THEN ' --aa' ELSE '' END AS command_line,
       2000 + run_no % 30000 AS pid, CASE WHEN twins THEN MAP {'branch': branch, 'aa': CASE twin WHEN 0 THEN 'a' ELSE 'b' END} ELSE MAP {'branch': branch} END AS tags
FROM sim_runs JOIN (SELECT run_no, count(*) FILTER (failed) AS failures, sum(loading_time_s + 2) AS total_s FROM sim_loads GROUP BY run_no) USING (run_no)
ORDER BY run_no;
