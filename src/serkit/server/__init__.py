"""The HTTP and WebSocket service around one recognizer, and its web page; needs the ``server`` extra.

:mod:`supervisor` runs worker processes and replaces those that die; :mod:`app` builds the application of one worker. A
request comes in over :mod:`connections` and passes :mod:`security` (host, origin, rate and token). :mod:`routes` holds
the endpoints, and :mod:`admission` limits how many of them work at once, in all and for one client. An upload is read
into memory (:mod:`uploads`) and decoded in a separate process that may crash (:mod:`decoder_pool`,
:mod:`decoder_process`). The model then runs on the clips of several requests together (:mod:`batching`).
:mod:`streaming` serves live sound over a WebSocket.
"""
