-- What bound a load, and what the machine did beside it.

ALTER TABLE loads ADD COLUMN pool_evicted_bytes BIGINT;
ALTER TABLE loads ADD COLUMN pool_streamed BOOLEAN;
ALTER TABLE loads ADD COLUMN storage_device_read_bytes BIGINT;
ALTER TABLE loads ADD COLUMN storage_device_reads BIGINT;
ALTER TABLE loads ADD COLUMN storage_device_busy_s DOUBLE;
ALTER TABLE loads ADD COLUMN cpu_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN memory_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN io_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN machine_cpu_s DOUBLE;
ALTER TABLE loads ADD COLUMN steal_s DOUBLE;
ALTER TABLE loads ADD COLUMN throttled_s DOUBLE;
ALTER TABLE loads ADD COLUMN storage_bound_s DOUBLE;
ALTER TABLE loads ADD COLUMN copy_bound_s DOUBLE;
ALTER TABLE loads ADD COLUMN cpu_bound_s DOUBLE;
COMMENT ON COLUMN loads.pool_evicted_bytes IS 'of other models that made way in the pool; NULL: no pool';
COMMENT ON COLUMN loads.pool_streamed IS 'whether the model is larger than the pool and passed through it; NULL: no pool';
COMMENT ON COLUMN loads.storage_device_read_bytes IS 'read from the block device under the files meanwhile, by the whole machine';
COMMENT ON COLUMN loads.storage_device_reads IS 'requests of those reads';
COMMENT ON COLUMN loads.storage_device_busy_s IS 'the block device had a request in flight';
COMMENT ON COLUMN loads.cpu_pressure_s IS 'some task of the machine waited for a CPU';
COMMENT ON COLUMN loads.memory_pressure_s IS 'some task of the machine waited for memory';
COMMENT ON COLUMN loads.io_pressure_s IS 'some task of the machine waited for I/O';
COMMENT ON COLUMN loads.machine_cpu_s IS 'CPU time of all processes and of the kernel, to hundredths';
COMMENT ON COLUMN loads.steal_s IS 'CPU time that the hypervisor kept for others, to hundredths';
COMMENT ON COLUMN loads.throttled_s IS 'the control group was kept off the CPUs';
COMMENT ON COLUMN loads.storage_bound_s IS 'what the storage would take at best for what was read from it';
COMMENT ON COLUMN loads.copy_bound_s IS 'what copying the bytes would take at best';
COMMENT ON COLUMN loads.cpu_bound_s IS 'CPU time of the worker, spread over the threads of its loader';
COMMENT ON COLUMN loads.bound IS 'the slowest of storage, copy and cpu: see storage_bound_s, copy_bound_s and cpu_bound_s';
COMMENT ON COLUMN loads.efficiency IS 'the slower of storage_bound_s and copy_bound_s, over loading_time_s; over 1 the label or the roofline is wrong';

ALTER TABLE runs ADD COLUMN io_depth BIGINT;
ALTER TABLE runs ADD COLUMN io_size_bytes BIGINT;
COMMENT ON COLUMN runs.io_depth IS 'reads under way; NULL: the choice of the loader';
COMMENT ON COLUMN runs.io_size_bytes IS 'bytes of a read; NULL: the choice of the loader';
