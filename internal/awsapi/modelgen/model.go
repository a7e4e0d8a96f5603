package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// model is the part of a service-2.json that is used.
type model struct {
	Metadata struct {
		EndpointPrefix string `json:"endpointPrefix"`
		SigningName    string `json:"signingName"`
		Protocol       string `json:"protocol"`
		JSONVersion    string `json:"jsonVersion"`
		APIVersion     string `json:"apiVersion"`
		XMLNamespace   string `json:"xmlNamespace"`
		TargetPrefix   string `json:"targetPrefix"`
	} `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input    *ref  `json:"input"`
	Output   *ref  `json:"output"`
	Errors   []ref `json:"errors"`
	ReadOnly bool  `json:"readonly"`
}

type ref struct {
	Shape           string `json:"shape"`
	Location        string `json:"location"`
	LocationName    string `json:"locationName"`
	ResultWrapper   string `json:"resultWrapper"`
	TimestampFormat string `json:"timestampFormat"`
}

type shape struct {
	Type            string      `json:"type"`
	Required        []string    `json:"required"`
	Members         members     `json:"members"`
	Member          *ref        `json:"member"`
	Key             *ref        `json:"key"`
	Value           *ref        `json:"value"`
	Min             *int64      `json:"min"`
	Max             *int64      `json:"max"`
	Pattern         string      `json:"pattern"`
	Enum            []string    `json:"enum"`
	Sensitive       bool        `json:"sensitive"`
	Union           bool        `json:"union"`
	Flattened       bool        `json:"flattened"`
	TimestampFormat string      `json:"timestampFormat"`
	Exception       bool        `json:"exception"`
	Error           *errorTrait `json:"error"`
	Payload         string      `json:"payload"`
}

type errorTrait struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
}

// members keeps the model's order, which AWS's messages follow.
type members []member

type member struct {
	name string
	ref  ref
}

func (m *members) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		var r ref
		if err := dec.Decode(&r); err != nil {
			return err
		}
		*m = append(*m, member{t.(string), r})
	}
	return nil
}

// load reads the newest version of a service's model below dir.
func load(dir, service string) (*model, error) {
	files, err := filepath.Glob(filepath.Join(dir, service, "*", "service-2.json*"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no model of %s below %s", service, dir)
	}
	sort.Strings(files)
	name := files[len(files)-1]
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(name) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	m := new(model)
	if err := json.NewDecoder(r).Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}
