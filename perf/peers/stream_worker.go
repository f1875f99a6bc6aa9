// The same streams read by Go's net/http and encoding/json; speaks the protocol of stream_worker.py.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

const body = `{"model":"fake-model","stream":true,"messages":[{"role":"user","content":"Tell me a story."}]}`

type request struct {
	URL     string `json:"url"`
	Streams int    `json:"streams"`
}

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	user, system := usage.Utime, usage.Stime
	return float64(user.Sec+system.Sec) + float64(user.Usec+system.Usec)/1e6
}

func read(client *http.Client, url string, seen *int64) error {
	response, err := client.Post(url+"/v1/chat/completions", "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 4096), 16<<20)
	for lines.Scan() {
		data := bytes.TrimPrefix(lines.Bytes(), []byte("data: "))
		if len(data) == len(lines.Bytes()) || bytes.Equal(data, []byte("[DONE]")) {
			continue
		}
		var decoded chunk
		if err := json.Unmarshal(data, &decoded); err != nil {
			return err
		}
		if len(decoded.Choices) > 0 && decoded.Choices[0].Delta.Content != "" {
			atomic.AddInt64(seen, 1)
		}
	}
	return lines.Err()
}

func main() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		var asked request
		if err := json.Unmarshal(input.Bytes(), &asked); err != nil {
			panic(err)
		}
		before := cpuSeconds()
		var seen int64
		var group sync.WaitGroup
		for i := 0; i < asked.Streams; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				if err := read(client, asked.URL, &seen); err != nil {
					panic(err)
				}
			}()
		}
		group.Wait()
		client.CloseIdleConnections()
		fmt.Printf("{\"chunks\": %d, \"cpu_seconds\": %f, \"resident_bytes\": 0}\n", seen, cpuSeconds()-before)
	}
}
