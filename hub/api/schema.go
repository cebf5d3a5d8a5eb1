package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"jupyterhubd/hub/client"
)

// schemas are JSON schemas of models by name, made from the types that replies are encoded from.
type schemas map[string]any

// of returns a schema of a value's type; a model's is put among the schemas, and referred to.
func (s schemas) of(v any) map[string]any { return s.ofType(reflect.TypeOf(v)) }

func (s schemas) ofType(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[client.Text]():
		return map[string]any{"type": []string{"string", "null"}}
	case reflect.TypeFor[client.Time]():
		return map[string]any{"type": []string{"string", "null"}, "format": "date-time"}
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{"type": []string{"object", "null"}}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint32, reflect.Uint8:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.ofType(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.ofType(t.Elem())}
	case reflect.Pointer:
		return map[string]any{"oneOf": []any{s.ofType(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Struct:
		return s.ofStruct(t)
	}
	return map[string]any{} // anything
}

func (s schemas) ofStruct(t reflect.Type) map[string]any {
	if value, ok := shownValue(t); ok {
		return s.ofType(value)
	}
	name := t.Name()
	if strings.ContainsAny(name, "[]") { // a page of something
		return s.object(t)
	}
	if _, done := s[name]; !done {
		s[name] = map[string]any{} // a model may hold itself
		s[name] = s.object(t)
	}
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

// shownValue returns the type within a client.Field, which is there or not.
func shownValue(t reflect.Type) (reflect.Type, bool) {
	if t.NumField() == 2 && t.Field(0).Name == "Value" && t.Field(1).Name == "Shown" {
		return t.Field(0).Type, true
	}
	return nil, false
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	s.fields(t, properties, &required)
	out := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.fields(f.Type, properties, required)
		case !f.IsExported() || name == "-":
		default:
			if name == "" {
				name = f.Name
			}
			properties[name] = s.ofType(f.Type)
			if !strings.Contains(options, "omit") {
				*required = append(*required, name)
			}
		}
	}
}
