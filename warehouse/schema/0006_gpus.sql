-- What GPUs did during loads, and the way to them as a bound.
ALTER TABLE loads ADD COLUMN host_to_device_bound_s DOUBLE;
ALTER TABLE loads ADD COLUMN pcie_generation BIGINT;
ALTER TABLE loads ADD COLUMN pcie_width BIGINT;
ALTER TABLE loads ADD COLUMN gpu_temperature_c DOUBLE;
ALTER TABLE loads ADD COLUMN gpu_power_w DOUBLE;
ALTER TABLE loads ADD COLUMN gpu_sm_clock_hz BIGINT;
ALTER TABLE loads ADD COLUMN gpu_memory_clock_hz BIGINT;
ALTER TABLE loads ADD COLUMN gpu_throttle_reasons VARCHAR;
ALTER TABLE loads ADD COLUMN gpu_other_processes BIGINT;
COMMENT ON COLUMN loads.host_to_device_bound_s IS 'what copying the bytes from page-locked memory to the GPUs would take at best';
COMMENT ON COLUMN loads.pcie_generation IS 'of the link to the GPU, the highest seen from the load before to the end of this one; of several GPUs the lowest';
COMMENT ON COLUMN loads.pcie_width IS 'lanes of that link';
COMMENT ON COLUMN loads.gpu_temperature_c IS 'the highest in that time, of the hottest GPU';
COMMENT ON COLUMN loads.gpu_power_w IS 'the highest in that time, of the GPU that drew most';
COMMENT ON COLUMN loads.gpu_sm_clock_hz IS 'the highest in that time, of the multiprocessors';
COMMENT ON COLUMN loads.gpu_memory_clock_hz IS 'the highest in that time, of the memory';
COMMENT ON COLUMN loads.gpu_throttle_reasons IS 'why clocks were lower than they could be in that time, with commas; empty: nothing but idleness';
COMMENT ON COLUMN loads.gpu_other_processes IS 'processes that computed on the GPUs beside the worker, when the load ended';
COMMENT ON COLUMN loads.device_memory_before_bytes IS 'in use on the device before: on a GPU by everybody, on host by loads';
COMMENT ON COLUMN loads.device_memory_after_bytes IS 'in use on the device after, with the tensors there';
COMMENT ON COLUMN loads.bound IS 'the slowest of storage, copy (host), host_to_device (GPUs) and cpu: see the columns ending in _bound_s';
COMMENT ON COLUMN loads.efficiency IS 'the slowest of storage_bound_s, copy_bound_s and host_to_device_bound_s, over loading_time_s; over 1 the label or the roofline is wrong';

ALTER TABLE sessions ADD COLUMN device_memory_before_bytes BIGINT;
ALTER TABLE sessions ADD COLUMN gpu_other_processes BIGINT;
COMMENT ON COLUMN sessions.device_memory_before_bytes IS 'in use on the GPUs, by everybody, before the process began; the sample memory_used_bytes after its last load says what is in use when it is gone';
COMMENT ON COLUMN sessions.gpu_other_processes IS 'processes that computed on the GPUs before it began';
