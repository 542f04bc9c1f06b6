"""The service: HTTP and WebSocket endpoints around one recognizer, and the page that uses them; extra ``server``.

A request goes through :mod:`security` (hosts, origins, tokens, rate) and :mod:`limits`; its body is read into memory
(:mod:`uploads`), decoded in a process that may be killed (:mod:`sound_process`, :mod:`sound_pool`), and answered by the
model together with whatever else waits (:mod:`batching`). :mod:`running` starts worker processes, and others where one
dies.
"""
