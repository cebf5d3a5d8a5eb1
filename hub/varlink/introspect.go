package varlink

import "context"

const serviceInterface = `# The interface that every Varlink service implements.
interface org.varlink.service

method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)

error MethodNotFound (method: string)

error MethodNotImplemented (method: string)

error InvalidParameter (parameter: string)

error PermissionDenied ()

error ExpectedMore ()
`

// introspection is org.varlink.service, by which varlinkctl and others discover what is offered.
func (s *Service) introspection() Interface {
	return Interface{
		Name:        "org.varlink.service",
		Description: serviceInterface,
		Methods:     map[string]Handler{"GetInfo": s.getInfo, "GetInterfaceDescription": s.getDescription},
	}
}

func (s *Service) getInfo(_ context.Context, r *Request) error {
	names := []string{"org.varlink.service"}
	for _, i := range s.Interfaces {
		names = append(names, i.Name)
	}
	return r.Reply(map[string]any{
		"vendor": s.Vendor, "product": s.Product, "version": s.Version, "url": s.URL, "interfaces": names,
	})
}

func (s *Service) getDescription(_ context.Context, r *Request) error {
	var in struct {
		Interface string `json:"interface"`
	}
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.Interface == "org.varlink.service" {
		return r.Reply(map[string]string{"description": serviceInterface})
	}
	for _, i := range s.Interfaces {
		if i.Name == in.Interface {
			return r.Reply(map[string]string{"description": i.Description})
		}
	}
	return standard{name: errInterfaceNotFound, parameters: map[string]string{"interface": in.Interface}}
}
