// Reads archives with Go's standard library, as Flux's controllers do. Cases come on standard input: one byte for the kind
// ('t' tar, 'g' gzip of tar, 'z' zip), four bytes of length, the bytes. Each is answered by one line of JSON.
package main

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
)

type entry struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Link   string `json:"link"`
	Mode   int64  `json:"mode"`
	Sha256 string `json:"sha256"`
}

type answer struct {
	Error   string  `json:"error"`
	Entries []entry `json:"entries"`
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		var length uint32
		if binary.Read(in, binary.BigEndian, &length) != nil {
			return
		}
		content := make([]byte, length)
		if _, err := io.ReadFull(in, content); err != nil {
			return
		}
		line, _ := json.Marshal(read(kind, content))
		out.Write(append(line, '\n'))
		out.Flush()
	}
}

func read(kind byte, content []byte) answer {
	if kind == 'z' {
		return readZip(content)
	}
	var source io.Reader = bytes.NewReader(content)
	if kind == 'g' {
		decompressed, err := gzip.NewReader(source)
		if err != nil {
			return answer{Error: err.Error()}
		}
		source = decompressed
	}
	return readTar(source)
}

func readTar(source io.Reader) answer {
	found := answer{Entries: []entry{}}
	reader := tar.NewReader(source)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			found.Error = err.Error()
			return found
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, reader); err != nil {
			found.Error = err.Error()
			return found
		}
		found.Entries = append(found.Entries, entry{
			Name: hex.EncodeToString([]byte(header.Name)), Type: kindOf(header), Mode: header.Mode,
			Link: hex.EncodeToString([]byte(header.Linkname)), Sha256: hex.EncodeToString(hash.Sum(nil)),
		})
	}
}

func kindOf(header *tar.Header) string {
	mode := header.FileInfo().Mode()
	switch {
	case header.Typeflag == tar.TypeLink:
		return "hardlink"
	case header.Typeflag == tar.TypeXGlobalHeader:
		return "special"
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "dir"
	case header.Typeflag == tar.TypeSymlink:
		return "symlink"
	}
	return "special"
}

func readZip(content []byte) answer {
	found := answer{Entries: []entry{}}
	reader, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return answer{Error: err.Error()}
	}
	for _, file := range reader.File {
		kind := "file"
		if file.FileInfo().IsDir() {
			kind = "dir"
		} else if file.Mode()&fs.ModeSymlink != 0 {
			kind = "symlink"
		} else if !file.Mode().IsRegular() {
			kind = "special"
		}
		hash := sha256.New()
		if kind == "file" {
			body, err := file.Open()
			if err == nil {
				_, err = io.Copy(hash, body)
			}
			if err != nil {
				found.Error = err.Error()
				return found
			}
		}
		found.Entries = append(found.Entries, entry{
			Name: hex.EncodeToString([]byte(file.Name)), Type: kind, Mode: int64(file.Mode().Perm()),
			Sha256: hex.EncodeToString(hash.Sum(nil)),
		})
	}
	return found
}
