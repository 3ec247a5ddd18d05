-- What the Python stack was, and what it took of the device.

ALTER TABLE runs ADD COLUMN packages MAP(VARCHAR, VARCHAR);
COMMENT ON COLUMN runs.packages IS 'versions of Python and of its packages, of engine transformers; empty: another engine';

ALTER TABLE loads ADD COLUMN device_memory_peak_bytes BIGINT;
COMMENT ON COLUMN loads.device_memory_peak_bytes IS 'most that PyTorch held of the device during the load; NULL: another engine, or the host';
