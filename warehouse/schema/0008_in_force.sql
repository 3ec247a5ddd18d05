-- How files were read, where a worker ran, and what its threads waited for.

ALTER TABLE sessions ADD COLUMN numa_node BIGINT;
ALTER TABLE sessions ADD COLUMN huge_page_bytes BIGINT;
COMMENT ON COLUMN sessions.numa_node IS 'NUMA node that the process ran on and took its memory from, that of the storage; NULL: any';
COMMENT ON COLUMN sessions.huge_page_bytes IS 'of its memory in huge pages, once it was ready';

ALTER TABLE loads ADD COLUMN io_method VARCHAR;
ALTER TABLE loads ADD COLUMN io_depth BIGINT;
ALTER TABLE loads ADD COLUMN io_size_bytes BIGINT;
ALTER TABLE loads ADD COLUMN cpu_delay_s DOUBLE;
ALTER TABLE loads ADD COLUMN block_delay_s DOUBLE;
ALTER TABLE loads ADD COLUMN memory_delay_s DOUBLE;
ALTER TABLE loads ADD COLUMN kernel_threads_cpu_s DOUBLE;
COMMENT ON COLUMN loads.io_method IS 'how its files were read: pread or mmap; NULL: they were not, or the load failed';
COMMENT ON COLUMN loads.io_depth IS 'the most requests under way at once, in force; of a mapping, threads';
COMMENT ON COLUMN loads.io_size_bytes IS 'of the largest request, in force; NULL: the read-ahead of the kernel chose';
COMMENT ON COLUMN loads.cpu_delay_s IS 'threads of the worker were ready and waited for a CPU, summed over them; NULL: taskstats tells root alone';
COMMENT ON COLUMN loads.block_delay_s IS 'they waited for a block device; NULL: not told, or kernel.task_delayacct is off';
COMMENT ON COLUMN loads.memory_delay_s IS 'they waited for pages to be reclaimed, compacted or swapped in; NULL: as block_delay_s';
COMMENT ON COLUMN loads.kernel_threads_cpu_s IS 'CPU time of the threads of the kernel meanwhile, for the whole machine; NULL: they can not be seen from here';
