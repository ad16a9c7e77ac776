// Marks in an answer that say how it is spoken: `[[tts:voice=x]]`, `[[tts]]…[[/tts]]`, `[[tts:text]]…[[/tts:text]]`.
import { parseStrictFiniteNumber } from '../numbers.js';
import { normalizeLowercaseStringOrEmpty } from '../strings.js';

const CODE = [/```[\s\S]*?```/g, /~~~[\s\S]*?~~~/g, /^(?: {4}|\t).*(?:\n|$)/gm, /`+[^`\n]*`+/g];

/** Replaces outside of code; the places of code are those of the text as it is now. */
function replace(text, pattern, change) {
  const code = CODE.flatMap((one) => [...text.matchAll(one)].map((match) => [match.index, match.index + match[0].length]));
  return text.replace(pattern, (...args) => {
    const at = args.at(-2);
    return code.some(([from, to]) => at >= from && at < to) ? args[0] : change(args[1] ?? '');
  });
}

const byOrder = (a, b) => (a.autoSelectOrder ?? Number.MAX_SAFE_INTEGER) - (b.autoSelectOrder ?? Number.MAX_SAFE_INTEGER) || a.id.localeCompare(b.id);
const named = (providers, id) => providers.find((provider) => provider.id === id || provider.aliases?.some((alias) => normalizeLowercaseStringOrEmpty(alias) === id));

/** The pairs `key=value` of a mark. */
const pairsOf = (body) =>
  body.split(/\s+/).flatMap((token) => {
    const at = token.indexOf('=');
    const [key, value] = [token.slice(0, Math.max(0, at)).trim(), token.slice(at + 1).trim()];
    return at > 0 && key && value ? [{ key: normalizeLowercaseStringOrEmpty(key), value }] : [];
  });

/** Which providers are asked what a pair means. */
function asked(state, declared) {
  const { providers, warnings, options } = state;
  if (declared) {
    const provider = named(providers, declared);
    if (!provider) warnings.push(`unknown provider "${declared}"`);
    return provider ? [provider] : [];
  }
  const preferred = providers.find((provider) => provider.id === normalizeLowercaseStringOrEmpty(options?.preferredProviderId));
  return preferred ? [preferred, ...providers.filter((provider) => provider !== preferred)] : providers;
}

function readMark(body, state) {
  const { policy, overrides, warnings, options } = state;
  const pairs = pairsOf(body);
  const declared = policy.allowProvider ? normalizeLowercaseStringOrEmpty(pairs.findLast(({ key }) => key === 'provider')?.value) || undefined : undefined;
  if (declared) overrides.provider = declared;
  let providers;
  for (const { key, value } of pairs.filter((pair) => pair.key !== 'provider')) {
    providers ??= asked(state, declared);
    const answer = (provider) =>
      provider.parseDirectiveToken?.({
        key, value, policy, selectedProvider: declared ? provider.id : undefined, providerConfig: options?.providerConfigs?.[provider.id],
        currentOverrides: overrides.providerOverrides?.[provider.id],
      });
    let handled = false;
    for (const provider of providers) {
      const parsed = answer(provider);
      if (!parsed?.handled) continue;
      handled = true;
      if (parsed.overrides) overrides.providerOverrides = { ...overrides.providerOverrides, [provider.id]: { ...overrides.providerOverrides?.[provider.id], ...parsed.overrides } };
      warnings.push(...(parsed.warnings ?? []));
      break;
    }
    if (!handled && declared && providers.length > 0) warnings.push(`unsupported ${declared} directive key "${key}"`);
  }
}

/**
 * Takes the marks out of a text and says what they want. Marks in code stay.
 * @param {string} text @param {object} policy what marks may set @param {{ providers?: object[], providerConfigs?: object, preferredProviderId?: string }} [options]
 * @returns {{ cleanedText: string, ttsText?: string, hasDirective: boolean, overrides: object, warnings: string[] }}
 */
export function parseTtsDirectives(text, policy, options) {
  const state = { policy, options, overrides: {}, warnings: [], providers: [...(options?.providers ?? [])].sort(byOrder) };
  const { overrides, warnings } = state;
  if (!policy.enabled || !/\[\[\s*\/?\s*tts(?:\s*:|\s*\]\])/i.test(text)) return { cleanedText: text, overrides, warnings, hasDirective: false };
  let hasDirective = false;
  const mark = (change) => (inner) => {
    hasDirective = true;
    return change(inner);
  };
  const spoken = (inner) => void (policy.allowText && (overrides.ttsText ??= inner.trim()));
  let out = replace(text, /\[\[\s*tts\s*:\s*text\s*\]\]([\s\S]*?)\[\[\s*\/\s*tts\s*:\s*text\s*\]\]/gi, mark((inner) => spoken(inner) ?? ''));
  out = replace(out, /\[\[\s*tts\s*\]\]([\s\S]*?)\[\[\s*\/\s*tts\s*\]\]/gi, mark((inner) => spoken(inner) ?? inner.trim()));
  out = replace(out, /\[\[\s*tts\s*:\s*([^\]]+)\]\]/gi, mark((body) => readMark(body, state) ?? ''));
  out = replace(out, /\[\[\s*tts\s*\]\]/gi, mark(() => ''));
  out = replace(out, /\[\[\s*\/\s*tts(?:\s*:\s*[^\]]*)?\]\]/gi, mark(() => ''));
  return { cleanedText: out, ttsText: overrides.ttsText, hasDirective, overrides, warnings };
}

/**
 * A number in a mark: what it sets when it may be set and lies in the range.
 * @param {{ctx: {value: string, policy: {allowVoiceSettings?: boolean}, currentOverrides?: object}, overrideKey: string, range: {min?: number, max?: number, minExclusive?: boolean, maxExclusive?: boolean}, warning: (value: string) => string, mergeCurrentOverrides?: boolean}} params
 * @returns {{handled: true, overrides?: object, warnings?: string[]}}
 */
export function parseSpeechDirectiveNumberOverride({ ctx, overrideKey, range, warning, mergeCurrentOverrides }) {
  if (!ctx.policy.allowVoiceSettings) return { handled: true };
  const value = parseStrictFiniteNumber(ctx.value);
  const { min = -Infinity, max = Infinity, minExclusive, maxExclusive } = range;
  const inside = value >= min && value <= max && !(minExclusive && value === min) && !(maxExclusive && value === max);
  if (!inside) return { handled: true, warnings: [warning(ctx.value)] };
  return { handled: true, overrides: { ...(mergeCurrentOverrides ? ctx.currentOverrides : {}), [overrideKey]: value } };
}
