// Values against JSON Schema (draft 7), with errors that people can read.
import { createRequire } from 'node:module';
import { sanitizeTerminalText } from './plain-text.js';

/** Compiled schemas that are kept. */
const KEPT = 512;
/** Allowed values that an error names, and the characters of each. */
const [SHOWN, LONGEST] = [12, 160];

const engines = new Map();
function engine(useDefaults) {
  if (!engines.has(useDefaults)) engines.set(useDefaults, makeEngine(useDefaults));
  return engines.get(useDefaults);
}
function makeEngine(useDefaults) {
  const { Ajv } = createRequire(import.meta.url)('../../vendor/ajv.js');
  const made = new Ajv({ allErrors: true, strict: false, removeAdditional: false, useDefaults });
  return made.addFormat('uri', { type: 'string', validate: (text) => URL.canParse(text) });
}

const hasDefaults = (schema) => Boolean(schema) && typeof schema === 'object' && ((!Array.isArray(schema) && Object.hasOwn(schema, 'default')) || Object.values(schema).some(hasDefaults));

const compiled = new Map();
/** The compiled schema of a key; an equal schema under it is not compiled again. */
function compile(key, schema, useDefaults) {
  const found = compiled.get(key);
  const text = found?.schema === schema ? found.text : JSON.stringify(schema);
  const entry = found?.text === text ? { ...found, schema } : { schema, text, fills: useDefaults && hasDefaults(schema), validate: engine(useDefaults).compile(schema) };
  compiled.delete(key);
  compiled.set(key, entry);
  if (compiled.size > KEPT) compiled.delete(compiled.keys().next().value);
  return entry;
}

const asJson = (value) => {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
};
const short = (text) => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}... (+${text.length - LONGEST} chars)`);
const label = (value) => (typeof value === 'string' ? JSON.stringify(short(value)) : short(asJson(value)));

/** Values without repetition, the first of them in words. */
function allowedValues({ keyword, params }) {
  const values = keyword === 'enum' ? params.allowedValues : keyword === 'const' ? [params.allowedValue] : undefined;
  if (!values?.length) return undefined;
  const distinct = [...new Map(values.map((value) => [`${typeof value}:${typeof value === 'string' ? value : asJson(value)}`, value])).values()];
  const shown = distinct.slice(0, SHOWN);
  const hidden = distinct.length - shown.length;
  return { hidden, values: shown.map((value) => (typeof value === 'string' ? value : asJson(value))), text: [...shown.map(label), ...(hidden > 0 ? [`... (+${hidden} more)`] : [])].join(', ') };
}

const NAMES_MEMBER = ['required', 'dependentRequired', 'dependencies'];
function placeOf({ instancePath, keyword, params }) {
  const place = instancePath?.replace(/^\//, '').replaceAll('/', '.') ?? '';
  const missing = NAMES_MEMBER.includes(keyword) && typeof params.missingProperty === 'string' ? params.missingProperty.trim() : '';
  return [place, missing].filter(Boolean).join('.') || '<root>';
}

function described(error) {
  const path = placeOf(error);
  const allowed = allowedValues(error);
  const given = error.message ?? 'invalid';
  const message = allowed && !/\(allowed:|expected one of/i.test(given) ? `${given} (allowed: ${allowed.text})` : given;
  const extra = error.keyword === 'additionalProperties' ? error.params.additionalProperty : undefined;
  return {
    path, message, text: `${sanitizeTerminalText(path)}: ${sanitizeTerminalText(message)}`,
    ...(typeof extra === 'string' && extra.trim() ? { additionalProperty: extra } : {}),
    ...(allowed ? { allowedValues: allowed.values, allowedValuesHiddenCount: allowed.hidden } : {}),
  };
}

/**
 * Checks a value. With `applyDefaults` the answer holds a copy with the schema's defaults filled in.
 * @param {{schema: object, cacheKey: string, value: unknown, applyDefaults?: boolean, cache?: boolean}} params
 * @returns {{ok: true, value: unknown} | {ok: false, errors: {path: string, message: string, text: string, additionalProperty?: string, allowedValues?: string[], allowedValuesHiddenCount?: number}[]}}
 */
export function validateJsonSchemaValue({ schema, cacheKey, value: given, applyDefaults, cache }) {
  const fill = Boolean(applyDefaults);
  const { validate, fills } = cache === false ? { validate: makeEngine(fill).compile(schema), fills: fill && hasDefaults(schema) } : compile(fill ? `${cacheKey}::defaults` : cacheKey, schema, fill);
  const value = fills && given !== undefined && given !== null ? structuredClone(given) : given;
  return validate(value) ? { ok: true, value } : { ok: false, errors: (validate.errors ?? []).map(described) };
}
