"""Stream a 16-bit WAV file to a service and print its events: stream_client.py FILE [ws://HOST:PORT [TOKEN]]."""

import json
import sys
import wave
from contextlib import suppress
from threading import Thread

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


def send(file: wave.Wave_read, socket: ClientConnection) -> None:
    """Send all of it; the service takes it as fast as it can hear, and may end the stream before."""
    with suppress(ConnectionClosed):
        while piece := file.readframes(file.getframerate() // 10):  # a tenth of a second
            socket.send(piece)
        socket.send('{"type": "session.end"}')


path = sys.argv[1]
address = sys.argv[2] if len(sys.argv) > 2 else "ws://127.0.0.1:8000"
headers = {"Authorization": f"Bearer {sys.argv[3]}"} if len(sys.argv) > 3 else {}
with wave.open(path) as file:
    if file.getsampwidth() != 2:
        sys.exit(f"{path} has {8 * file.getsampwidth()} bits a sample; this example sends 16.")
    query = f"sampling_rate={file.getframerate()}&channels={file.getnchannels()}&encoding=pcm_s16le"
    try:
        with connect(f"{address}/v1/stream?{query}", additional_headers=headers) as socket:
            Thread(target=send, args=(file, socket), daemon=True).start()
            for event in map(json.loads, socket):
                if event["type"] == "error":
                    print("error", event["code"], event["message"])
                else:
                    print(event["type"], event.get("start", ""), event.get("emotion", ""))
    except InvalidStatus as refusal:
        sys.exit(f"the service refused: {json.loads(refusal.response.body)['detail']}")
    except ConnectionClosed as end:
        sys.exit(f"the stream ended: {end}")
    except OSError as error:
        sys.exit(f"no service answers at {address}: {error}")
