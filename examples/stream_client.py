"""Stream a 16-bit WAV file to a service and print its events: stream_client.py FILE [ws://HOST:PORT]."""

import json
import sys
import wave
from threading import Thread

from websockets.sync.client import ClientConnection, connect


def send(file: wave.Wave_read, socket: ClientConnection) -> None:
    """Send all of it; the service takes it as fast as it can hear."""
    while piece := file.readframes(file.getframerate() // 10):  # a tenth of a second
        socket.send(piece)
    socket.send('{"type": "session.end"}')


with wave.open(sys.argv[1]) as file:
    query = f"sampling_rate={file.getframerate()}&channels={file.getnchannels()}&encoding=pcm_s16le"
    with connect(f"{(*sys.argv, 'ws://127.0.0.1:8000')[2]}/v1/stream?{query}") as socket:
        Thread(target=send, args=(file, socket), daemon=True).start()
        for event in map(json.loads, socket):
            print(event["type"], event.get("start", ""), event.get("emotion", ""))
