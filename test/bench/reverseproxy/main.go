package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reverseproxy:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: reverseproxy LISTEN ROUTE=TARGET, and more of these")
	}
	routes, err := handler(args[1:])
	if err != nil {
		return err
	}
	return http.ListenAndServe(args[0], routes)
}

// handler leads each route to its target.
func handler(routes []string) (http.Handler, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	mux := http.NewServeMux()
	for _, route := range routes {
		path, target, _ := strings.Cut(route, "=")
		to, err := url.Parse(target)
		if err != nil || to.Host == "" {
			return nil, fmt.Errorf("%q is no ROUTE=TARGET", route)
		}
		mux.Handle(path, &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(to)
				r.SetXForwarded()
				r.Out.Host = r.In.Host
			}})
	}
	return mux, nil
}
