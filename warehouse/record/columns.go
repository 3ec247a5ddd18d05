package record

import (
	"reflect"
	"strings"
)

// Column is a column and the field of a record that holds it.
type Column struct {
	Name     string // in SQL
	Index    []int  // of the field, for reflect.Value.FieldByIndex
	Type     reflect.Type
	ViewOnly bool // in views, not in the table
}

// Columns lists the columns of a record type in the order of its fields, with
// those of embedded structs in place. Fields without a db tag are skipped.
func Columns(kind reflect.Type) []Column {
	var columns []Column
	for i := range kind.NumField() {
		field := kind.Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			for _, c := range Columns(field.Type) {
				c.Index = append([]int{i}, c.Index...)
				columns = append(columns, c)
			}
			continue
		}
		name, option, _ := strings.Cut(field.Tag.Get("db"), ",")
		if name != "" {
			columns = append(columns, Column{Name: name, Index: field.Index, Type: field.Type, ViewOnly: option == "view"})
		}
	}
	return columns
}

// TableColumns lists the columns of a record type that its table has.
func TableColumns(kind reflect.Type) []Column {
	var columns []Column
	for _, c := range Columns(kind) {
		if !c.ViewOnly {
			columns = append(columns, c)
		}
	}
	return columns
}
