// Audio worklet: collects the microphone's blocks into tenths of a second of 16-bit samples.

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 10);
    this.begin();
  }

  begin() {
    this.samples = new Int16Array(this.size);
    this.filled = 0;
    this.energy = 0;
  }

  process([[mono]]) {
    for (const value of mono || []) {
      const clipped = Math.max(-1, Math.min(1, value));
      this.samples[this.filled++] = Math.round(clipped * 32767);
      this.energy += clipped * clipped;
      if (this.filled === this.size) {
        this.port.postMessage({ samples: this.samples, rms: Math.sqrt(this.energy / this.size) }, [this.samples.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
