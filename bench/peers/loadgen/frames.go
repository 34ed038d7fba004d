package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

func upgradeRequest(to target, subprotocol string) []byte {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", to.path, to.host)
	if subprotocol != "" {
		request += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	return []byte(request + "\r\n")
}

// upgraded returns the size of the answer to upgradeRequest, or 0 while it is incomplete.
func upgraded(data []byte, subprotocol string) (size int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	head := bytes.ToLower(data[:end])
	switch {
	case !bytes.HasPrefix(head, []byte("http/1.1 101")),
		!bytes.Contains(data[:end], []byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
		subprotocol != "" && !bytes.Contains(head, []byte("sec-websocket-protocol: "+subprotocol)):
		return 0, fmt.Errorf("upgrade refused: %.200s", data)
	}
	return end + 4, nil
}

// clientFrame returns a masked frame. Its mask is zero: servers unmask it like any other, and no proxy is misled here.
func clientFrame(opcode byte, payload []byte) []byte {
	frame := frameHead(opcode, len(payload), 0x80)
	frame = append(frame, 0, 0, 0, 0)
	return append(frame, payload...)
}

func serverFrame(opcode byte, payload []byte) []byte {
	return append(frameHead(opcode, len(payload), 0), payload...)
}

func frameHead(opcode byte, length int, maskBit byte) []byte {
	head := []byte{0x80 | opcode}
	switch {
	case length < 126:
		return append(head, maskBit|byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(head, maskBit|126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(head, maskBit|127), uint64(length))
	}
}

// parseFrame reads the frame at the start of data, and unmasks it in place; size is 0 while it is incomplete.
func parseFrame(data []byte) (final bool, opcode byte, payload []byte, size int) {
	if len(data) < 2 {
		return false, 0, nil, 0
	}
	length, at := int(data[1]&0x7f), 2
	switch {
	case length == 126 && len(data) >= 4:
		length, at = int(binary.BigEndian.Uint16(data[2:])), 4
	case length == 127 && len(data) >= 10:
		length, at = int(binary.BigEndian.Uint64(data[2:])), 10
	case length >= 126:
		return false, 0, nil, 0
	}
	var mask []byte
	if data[1]&0x80 != 0 {
		if len(data) < at+4 {
			return false, 0, nil, 0
		}
		mask, at = data[at:at+4], at+4
	}
	if len(data) < at+length {
		return false, 0, nil, 0
	}
	payload = data[at : at+length]
	for i := range payload {
		if mask == nil {
			break
		}
		payload[i] ^= mask[i&3]
	}
	return data[0]&0x80 != 0, data[0] & 15, payload, at + length
}
