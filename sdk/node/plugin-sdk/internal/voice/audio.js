// Sound as bytes: 16-bit samples, telephony, other sample rates.

/** The sample rate of telephones, in hertz. */
const TELEPHONY_HZ = 8000;
/** Samples to each side that one output sample is made of. */
const HALF = 15;
/** Below the limit, since a filter is not perfectly steep. */
const GUARD = 0.94;
/** Ratios with more phases than this are computed one sample at a time. */
const MAX_PHASES = 4096;

export const REALTIME_VOICE_AUDIO_FORMAT_G711_ULAW_8KHZ = { encoding: 'g711_ulaw', sampleRateHz: 8000, channels: 1 };
export const REALTIME_VOICE_AUDIO_FORMAT_PCM16_24KHZ = { encoding: 'pcm16', sampleRateHz: 24_000, channels: 1 };

const clamp = (value) => Math.max(-32768, Math.min(32767, value));
function samplesOf(buffer) {
  const samples = new Int16Array(Math.floor(buffer.byteLength / 2));
  for (let i = 0; i < samples.length; i++) samples[i] = buffer.readInt16LE(i * 2);
  return samples;
}

function toMulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(Math.abs(sample), 32_635) + 132;
  const exponent = Math.max(0, 31 - Math.clz32(biased >> 7));
  return ~(sign | (exponent << 4) | ((biased >> (exponent + 3)) & 0x0f)) & 0xff;
}
/** 16-bit samples as µ-law. @param {Buffer} pcm @returns {Buffer} */
export const pcmToMulaw = (pcm) => Buffer.from(Array.from(samplesOf(pcm), toMulaw));

function fromMulaw(byte) {
  const value = ~byte & 0xff;
  const sample = ((((value & 0x0f) << 3) + 132) << ((value >> 4) & 7)) - 132;
  return value & 0x80 ? -sample : sample;
}
/** µ-law as 16-bit samples. @param {Buffer} mulaw @returns {Buffer} */
export function mulawToPcm(mulaw) {
  const pcm = Buffer.alloc(mulaw.length * 2);
  mulaw.forEach((byte, index) => pcm.writeInt16LE(clamp(fromMulaw(byte)), index * 2));
  return pcm;
}

const gcd = (a, b) => (b === 0 ? a || 1 : gcd(b, a % b));
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const WINDOW = Array.from({ length: 2 * HALF + 1 }, (_, tap) => 0.5 - 0.5 * Math.cos((Math.PI * tap) / HALF));

/** The weights of the neighbours at a position between two samples. */
const weightsAt = (phase, cutoff) => Float64Array.from(WINDOW, (window, tap) => 2 * cutoff * sinc(2 * cutoff * (tap - HALF - phase)) * window);

function mix(input, centre, weights) {
  let [sum, total] = [0, 0];
  for (let tap = Math.max(-HALF, -centre); tap <= HALF && centre + tap < input.length; tap++) {
    const weight = weights[tap + HALF];
    sum += input[centre + tap] * weight;
    total += weight;
  }
  return total === 0 ? input[Math.max(0, Math.min(input.length - 1, centre))] ?? 0 : sum / total;
}

/** 16-bit samples at another rate. @param {Buffer} input @param {number} inputRate in hertz @param {number} outputRate in hertz @returns {Buffer} */
export function resamplePcm(input, inputRate, outputRate) {
  if (inputRate === outputRate) return input;
  const samples = samplesOf(input);
  const ratio = inputRate / outputRate;
  const cutoff = Math.max(0.01, (ratio > 1 ? 0.5 / ratio : 0.5) * GUARD);
  const whole = Number.isInteger(inputRate) && Number.isInteger(outputRate);
  const phases = whole ? outputRate / gcd(inputRate, outputRate) : Infinity;
  const known = new Map();
  const output = Buffer.alloc(Math.floor(samples.length / ratio) * 2);
  for (let i = 0; i < output.length / 2; i++) {
    const position = whole ? Math.floor((i * inputRate) / outputRate) : Math.floor(i * ratio);
    const phase = whole ? ((i * inputRate) % outputRate) / outputRate : i * ratio - position;
    let weights = phases <= MAX_PHASES ? known.get(phase) : undefined;
    if (!weights) known.set(phase, (weights = weightsAt(phase, cutoff)));
    if (phases > MAX_PHASES) known.clear();
    output.writeInt16LE(clamp(Math.round(mix(samples, position, weights))), i * 2);
  }
  return output;
}
/** The same for telephones. @param {Buffer} input @param {number} inputRate @returns {Buffer} */
export const resamplePcmTo8k = (input, inputRate) => resamplePcm(input, inputRate, TELEPHONY_HZ);
/** Samples of any rate as telephones take them. @param {Buffer} pcm @param {number} inputRate @returns {Buffer} */
export const convertPcmToMulaw8k = (pcm, inputRate) => pcmToMulaw(resamplePcmTo8k(pcm, inputRate));
