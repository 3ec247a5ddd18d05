package stream

/*
#include <stdint.h>

// Declared here as in DuckDB's C header, but without its types: the driver's
// bindings have them behind a build tag, and the program must build without.
extern void duckdb_connection_get_arrow_options(void *connection, void **options);
extern void duckdb_destroy_arrow_options(void **options);
extern void *duckdb_to_arrow_schema(void *options, void **types, const char **names, uint64_t columns, void *schema);
extern void *duckdb_data_chunk_to_arrow(void *options, void *chunk, void *array);
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// arrowOptions is DuckDB's object of this name.
type arrowOptions struct{ ptr unsafe.Pointer }

func arrowOptionsOf(handle duckdb.Connection) arrowOptions {
	var o arrowOptions
	C.duckdb_connection_get_arrow_options(handle.Ptr, &o.ptr)
	return o
}

func (o *arrowOptions) destroy() {
	if o.ptr != nil {
		C.duckdb_destroy_arrow_options(&o.ptr)
	}
}

// schema is Arrow's for the columns of a result.
func (o *arrowOptions) schema(result *duckdb.Result) (*arrow.Schema, error) {
	count := int(duckdb.ColumnCount(result))
	if count == 0 {
		return arrow.NewSchema(nil, nil), nil
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	types, names := make([]unsafe.Pointer, count), make([]*C.char, count)
	for i := range count {
		logical := duckdb.ColumnLogicalType(result, duckdb.IdxT(i))
		defer duckdb.DestroyLogicalType(&logical)
		name := append([]byte(duckdb.ColumnName(result, duckdb.IdxT(i))), 0)
		if bad := withoutArrow(logical); bad != "" {
			return nil, fmt.Errorf("column %s: type %s has no Arrow form: cast it to VARCHAR", name[:len(name)-1], bad)
		}
		types[i] = logical.Ptr
		pins.Pin(&name[0])
		names[i] = (*C.char)(unsafe.Pointer(&name[0]))
	}
	var schema cdata.CArrowSchema
	err := problem(C.duckdb_to_arrow_schema(o.ptr, &types[0], &names[0], C.uint64_t(count), unsafe.Pointer(&schema)))
	if err != nil {
		return nil, fmt.Errorf("read the types of the columns: %w", err)
	}
	defer cdata.ReleaseCArrowSchema(&schema)
	return cdata.ImportCArrowSchema(&schema)
}

// batch returns a chunk's rows in memory of their own, until released.
func (o *arrowOptions) batch(schema *arrow.Schema, chunk duckdb.DataChunk) (arrow.RecordBatch, error) {
	var array cdata.CArrowArray
	if err := problem(C.duckdb_data_chunk_to_arrow(o.ptr, chunk.Ptr, unsafe.Pointer(&array))); err != nil {
		return nil, fmt.Errorf("convert rows to Arrow: %w", err)
	}
	return cdata.ImportCRecordBatchWithSchema(&array, schema)
}

// problem converts an error of DuckDB.
func problem(ptr unsafe.Pointer) error {
	data := duckdb.ErrorData{Ptr: ptr}
	defer duckdb.DestroyErrorData(&data)
	if !duckdb.ErrorDataHasError(data) {
		return nil
	}
	return errors.New(firstLine(duckdb.ErrorDataMessage(data)))
}
