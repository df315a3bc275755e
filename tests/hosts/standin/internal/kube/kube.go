// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package kube is a small client of the Kubernetes API: objects are maps.
package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Object is any resource.
type Object = map[string]any

// Patch types.
const (
	Merge     = "application/merge-patch+json"
	Strategic = "application/strategic-merge-patch+json"
)

// Client talks to one API server with one client certificate.
type Client struct {
	server string
	http   *http.Client
}

// Error is an answer other than success.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return e.Message }

// NotFound tells whether the object is missing.
func NotFound(err error) bool { return hasCode(err, http.StatusNotFound) }

// Conflict tells whether the object was there already or changed meanwhile.
func Conflict(err error) bool { return hasCode(err, http.StatusConflict) }

func hasCode(err error, code int) bool {
	failure, ok := err.(*Error)
	return ok && failure.Code == code
}

// New returns a client; the files are read now.
func New(server, authority, certificate, key string) (*Client, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
	return &Client{server: server, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}}, nil
}

// Get reads an object or a list.
func (c *Client) Get(path string) (Object, error) { return c.Do(http.MethodGet, path, "", nil) }

// Create posts an object.
func (c *Client) Create(path string, object Object) (Object, error) {
	return c.Do(http.MethodPost, path, "application/json", object)
}

// Update replaces an object.
func (c *Client) Update(path string, object Object) (Object, error) {
	return c.Do(http.MethodPut, path, "application/json", object)
}

// Patch changes a part of an object.
func (c *Client) Patch(path, kind string, patch any) (Object, error) {
	return c.Do(http.MethodPatch, path, kind, patch)
}

// Delete removes an object; a missing one is no error.
func (c *Client) Delete(path string) error {
	_, err := c.Do(http.MethodDelete, path, "", nil)
	if NotFound(err) {
		return nil
	}
	return err
}

// Do sends one request.
func (c *Client) Do(method, path, kind string, body any) (Object, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequest(method, c.server+path, content)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	result := Object{}
	_ = json.Unmarshal(data, &result)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		message, _ := result["message"].(string)
		if message == "" {
			message = fmt.Sprintf("%s %s: %s", method, path, response.Status)
		}
		return nil, &Error{response.StatusCode, message}
	}
	return result, nil
}

// Watch calls handle for every event until the connection ends or the context does.
func (c *Client) Watch(ctx context.Context, path string, handle func(kind string, object Object)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: c.http.Transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &Error{response.StatusCode, response.Status}
	}
	for decoder := json.NewDecoder(response.Body); ; {
		var event struct {
			Type   string
			Object Object
		}
		if err := decoder.Decode(&event); err != nil {
			return err
		}
		handle(event.Type, event.Object)
	}
}

// Map returns a nested map, made where it is missing.
func Map(object Object, keys ...string) Object {
	for _, key := range keys {
		next, ok := object[key].(Object)
		if !ok {
			next = Object{}
			object[key] = next
		}
		object = next
	}
	return object
}

// Text returns a nested text, or nothing.
func Text(object Object, keys ...string) string {
	for _, key := range keys[:len(keys)-1] {
		object, _ = object[key].(Object)
	}
	text, _ := object[keys[len(keys)-1]].(string)
	return text
}

// Items returns the objects of a list.
func Items(list Object) []Object {
	items, _ := list["items"].([]any)
	result := make([]Object, 0, len(items))
	for _, item := range items {
		if object, ok := item.(Object); ok {
			result = append(result, object)
		}
	}
	return result
}
