// Sizes, ratios and lengths of generated media, made to fit what a provider can.
import { normalizeOptionalString } from '../strings.js';

const entries = (values) => (values ?? []).filter((value) => normalizeOptionalString(value));
function pair(raw, pattern) {
  const [, width, height] = (pattern.exec(normalizeOptionalString(raw) ?? '') ?? []).map(Number);
  return width > 0 && height > 0 ? { width, height, ratio: width / height } : undefined;
}
const sizeOf = (raw) => pair(raw, /^(\d+)\s*x\s*(\d+)$/i);
const ratioOf = (raw) => pair(raw, /^(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)$/);
const gcd = (a, b) => (b === 0 ? a || 1 : gcd(b, a % b));

/** The ratio of a size such as `1024x768`. @param {string} [size] @returns {string | undefined} */
export function deriveAspectRatioFromSize(size) {
  const found = sizeOf(size);
  const by = found && gcd(found.width, found.height);
  return found && `${found.width / by}:${found.height / by}`;
}

/** The value with the smallest scores. */
function closest(values, scoreOf) {
  const scored = values.map((value) => ({ value, score: scoreOf(value) })).filter(({ score }) => score);
  scored.sort((a, b) => a.score[0] - b.score[0] || a.score[1] - b.score[1] || a.value.localeCompare(b.value));
  return scored[0]?.value;
}

/** The nearest ratio that a provider has. @param {{ requestedAspectRatio?: string, requestedSize?: string, supportedAspectRatios?: string[] }} params @returns {string | undefined} */
export function resolveClosestAspectRatio({ requestedAspectRatio, requestedSize, supportedAspectRatios }) {
  const known = entries(supportedAspectRatios);
  if (known.length === 0) return requestedAspectRatio ?? deriveAspectRatioFromSize(requestedSize);
  if (known.includes(requestedAspectRatio)) return requestedAspectRatio;
  const wish = ratioOf(requestedAspectRatio) ?? ratioOf(deriveAspectRatioFromSize(requestedSize));
  return wish && closest(known, (value) => {
    const own = ratioOf(value);
    return own && [Math.abs(Math.log(own.ratio / wish.ratio)), Math.abs(own.width * wish.height - wish.width * own.height)];
  });
}

/** The nearest size that a provider has. @param {{ requestedSize?: string, requestedAspectRatio?: string, supportedSizes?: string[] }} params @returns {string | undefined} */
export function resolveClosestSize({ requestedSize, requestedAspectRatio, supportedSizes }) {
  const known = entries(supportedSizes);
  if (known.length === 0 || known.includes(requestedSize)) return requestedSize;
  const [size, ratio] = [sizeOf(requestedSize), ratioOf(requestedAspectRatio)];
  const wish = size ?? ratio;
  return wish && closest(known, (value) => {
    const own = sizeOf(value);
    const area = own && own.width * own.height;
    return own && [Math.abs(Math.log(own.ratio / wish.ratio)), size ? Math.abs(Math.log(area / (size.width * size.height))) : area];
  });
}

/** The nearest resolution that a provider has. @param {{ requestedResolution?: string, supportedResolutions?: string[], order?: string[] }} params @returns {string | undefined} */
export function resolveClosestResolution({ requestedResolution, supportedResolutions, order = ['1K', '2K', '4K'] }) {
  const known = entries(supportedResolutions);
  if (known.length === 0 || known.includes(requestedResolution)) return requestedResolution;
  const wish = order.indexOf(requestedResolution);
  return wish < 0 ? undefined : closest(known, (value) => order.includes(value) && [Math.abs(order.indexOf(value) - wish), order.indexOf(value)]);
}

/** A whole number of seconds of at most so many. @param {number} [seconds] @param {number} [most] @returns {number | undefined} */
export function normalizeDurationToClosestMax(seconds, most) {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined;
  const whole = Math.max(1, Math.round(seconds));
  return typeof most === 'number' && Number.isFinite(most) && most > 0 ? Math.min(whole, Math.max(1, Math.round(most))) : whole;
}

/** Whether a value was changed at all. @param {object} [entry] @returns {boolean} */
export const hasMediaNormalizationEntry = (entry) =>
  Boolean(entry) && (entry.requested !== undefined || entry.applied !== undefined || entry.derivedFrom !== undefined || (entry.supportedValues?.length ?? 0) > 0);

/** What was wished and what was made, as metadata. @param {{ normalization?: object, requestedSizeForDerivedAspectRatio?: string, includeSupportedDurationSeconds?: boolean }} params @returns {object} */
export function buildMediaGenerationNormalizationMetadata({ normalization = {}, requestedSizeForDerivedAspectRatio: size, includeSupportedDurationSeconds }) {
  const out = {};
  const both = (name, entry) => {
    if (entry?.requested === undefined || entry.applied === undefined) return;
    out[`requested${name}`] = entry.requested;
    out[`normalized${name}`] = entry.applied;
  };
  const { aspectRatio: ratio, durationSeconds: duration } = normalization ?? {};
  both('Size', normalization?.size);
  if (ratio?.applied !== undefined) {
    if (ratio.requested !== undefined) out.requestedAspectRatio = ratio.requested;
    out.normalizedAspectRatio = ratio.applied;
    if (ratio.derivedFrom === 'size' && size) Object.assign(out, { requestedSize: size, aspectRatioDerivedFromSize: deriveAspectRatioFromSize(size) });
  }
  both('Resolution', normalization?.resolution);
  both('DurationSeconds', duration);
  if (out.normalizedDurationSeconds !== undefined && includeSupportedDurationSeconds && duration.supportedValues?.length) out.supportedDurationSeconds = duration.supportedValues;
  return out;
}
