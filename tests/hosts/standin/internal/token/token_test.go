// Copyright (c) 2026, gpuops contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"strings"
	"testing"
)

const hash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestParse(t *testing.T) {
	for _, each := range []struct {
		text, problem string
		wanted        Token
	}{
		{"secret", "", Token{Password: "secret"}},
		{"a:b", "", Token{Password: "a:b"}},
		{"K10" + hash + "::server:pass:word", "", Token{CAHash: hash, Username: "server", Password: "pass:word"}},
		{"K10node:secret", "", Token{Username: "node", Password: "secret"}},
		{"abcdef.0123456789abcdef", "", Token{Bootstrap: "abcdef.0123456789abcdef"}},
		{"K10" + hash + "::abcdef.0123456789abcdef", "", Token{CAHash: hash, Bootstrap: "abcdef.0123456789abcdef"}},
		{"", "token must not be empty", Token{}},
		{"K10abc::server:x", "invalid token CA hash length", Token{}},
		{"K10" + hash + "::server:", "invalid token format", Token{}},
		{"K10" + hash, "invalid token format", Token{}},
	} {
		found, err := Parse(each.text)
		if (err == nil && each.problem != "") || (err != nil && err.Error() != each.problem) {
			t.Errorf("%q: %v", each.text, err)
		}
		if found != each.wanted {
			t.Errorf("%q: %+v", each.text, found)
		}
	}
}

func TestNormalize(t *testing.T) {
	for text, wanted := range map[string]string{"secret": "secret", "K10" + hash + "::server:secret": "secret", "abcdef.0123456789abcdef": ""} {
		if found, err := Normalize(text); found != wanted || (wanted == "") != (err != nil) {
			t.Errorf("%q: %q, %v", text, found, err)
		}
	}
}

func TestFormatNeedsACertificate(t *testing.T) {
	if _, err := Format("server:x", []byte("nothing")); err == nil {
		t.Error("no certificate, and yet a token")
	}
	if text, err := Format("", nil); text != "" || err != nil {
		t.Error("no credentials, no token")
	}
	if one, other := Random(16), Random(16); len(one) != 32 || one == other || strings.ToLower(one) != one {
		t.Error("a random text is hexadecimal, and another one each time")
	}
}
