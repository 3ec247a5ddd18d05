package record

import (
	"encoding/json"
	"reflect"
	"sync"
)

// The records that a worker reports are JSON objects whose keys are the columns,
// such as {"loading_time_s": 1.5, "bytes": 4096}. Zero values and NULLs are left
// out.

func (l Load) MarshalJSON() ([]byte, error)      { return toJSON(l) }
func (s Stage) MarshalJSON() ([]byte, error)     { return toJSON(s) }
func (t IOTrace) MarshalJSON() ([]byte, error)   { return toJSON(t) }
func (s Session) MarshalJSON() ([]byte, error)   { return toJSON(s) }
func (i Inference) MarshalJSON() ([]byte, error) { return toJSON(i) }

func (l *Load) UnmarshalJSON(b []byte) error      { return fromJSON(b, l) }
func (s *Stage) UnmarshalJSON(b []byte) error     { return fromJSON(b, s) }
func (t *IOTrace) UnmarshalJSON(b []byte) error   { return fromJSON(b, t) }
func (s *Session) UnmarshalJSON(b []byte) error   { return fromJSON(b, s) }
func (i *Inference) UnmarshalJSON(b []byte) error { return fromJSON(b, i) }

func toJSON[T any](row T) ([]byte, error) {
	return json.Marshal(reflect.ValueOf(row).Convert(tagged(reflect.TypeFor[T]())).Interface())
}

func fromJSON[T any](b []byte, row *T) error {
	return json.Unmarshal(b, reflect.ValueOf(row).Convert(reflect.PointerTo(tagged(reflect.TypeFor[T]()))).Interface())
}

var taggedTypes sync.Map // reflect.Type to reflect.Type

// tagged returns the struct type with the fields of a record and a json tag of
// each column. Go converts between structs that differ only in their tags.
func tagged(kind reflect.Type) reflect.Type {
	if t, ok := taggedTypes.Load(kind); ok {
		return t.(reflect.Type)
	}
	fields := reflect.VisibleFields(kind)
	for i, c := range Columns(kind) {
		fields[i].Tag = reflect.StructTag(`json:"` + c.Name + `,omitzero"`)
	}
	t := reflect.StructOf(fields)
	taggedTypes.Store(kind, t)
	return t
}
