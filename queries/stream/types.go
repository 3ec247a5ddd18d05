package stream

import duckdb "github.com/duckdb/duckdb-go-bindings"

// withoutArrow returns the name of a type, t or one inside it, that DuckDB
// converts to Arrow with other values (a huge unsigned number becomes negative, a
// time loses its zone) or in a form of its own; empty if there is none.
func withoutArrow(t duckdb.LogicalType) string {
	inside := func(parts ...duckdb.LogicalType) string {
		bad := ""
		for _, part := range parts {
			if bad == "" {
				bad = withoutArrow(part)
			}
			duckdb.DestroyLogicalType(&part)
		}
		return bad
	}
	switch duckdb.GetTypeId(t) {
	case duckdb.TypeUHugeInt:
		return "UHUGEINT"
	case duckdb.TypeBit:
		return "BIT"
	case duckdb.TypeTimeTZ:
		return "TIMETZ"
	case duckdb.TypeBigNum:
		return "BIGNUM"
	case duckdb.TypeVariant:
		return "VARIANT"
	case duckdb.TypeList:
		return inside(duckdb.ListTypeChildType(t))
	case duckdb.TypeArray:
		return inside(duckdb.ArrayTypeChildType(t))
	case duckdb.TypeMap:
		return inside(duckdb.MapTypeKeyType(t), duckdb.MapTypeValueType(t))
	case duckdb.TypeStruct:
		return inside(children(duckdb.StructTypeChildCount(t), t, duckdb.StructTypeChildType)...)
	case duckdb.TypeUnion:
		return inside(children(duckdb.UnionTypeMemberCount(t), t, duckdb.UnionTypeMemberType)...)
	}
	return ""
}

func children(n duckdb.IdxT, t duckdb.LogicalType, child func(duckdb.LogicalType, duckdb.IdxT) duckdb.LogicalType) []duckdb.LogicalType {
	var list []duckdb.LogicalType
	for i := range n {
		list = append(list, child(t, i))
	}
	return list
}
