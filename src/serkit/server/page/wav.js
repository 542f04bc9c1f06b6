// Builds a WAV file from pieces of 16-bit samples.

const HEADER = 44;  // bytes

export function wavOf(pieces, samplingRate) {
  const size = pieces.reduce((sum, piece) => sum + 2 * piece.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER));
  const text = (place, letters) => [...letters].forEach((letter, i) => view.setUint8(place + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, size + HEADER - 8, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);  // PCM, one channel
  view.setUint32(24, samplingRate, true); view.setUint32(28, 2 * samplingRate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true); text(36, "data"); view.setUint32(40, size, true);
  return new Blob([view, ...pieces], { type: "audio/wav" });
}
