// What a Claude model is called behind the names that clouds and deployments give it, and what it can.

/** @typedef {{id?: string, params?: {canonicalModelId?: unknown}, thinkingLevelMap?: object}} ModelRef */

/** The plain name of a model; names of other makers stay as they are, in lower case. @param {ModelRef} ref @returns {string} */
export function resolveClaudeModelIdentity({ id, params }) {
  const named = typeof params?.canonicalModelId === 'string' ? params.canonicalModelId : id;
  const name = (named?.trim().toLowerCase() ?? '').replace(/^anthropic\//, '').replace(/[._\s]+/g, '-');
  return name.slice(/(?:^|[-/])(?=claude-)/.exec(name)?.[0].length ? name.search(/[-/]claude-/) + 1 : 0);
}

const isOne = (ref, families) => new RegExp(`(?:^|-)claude-(?:${families})(?=$|[^a-z0-9])`).test(resolveClaudeModelIdentity(ref));

/** The name from "claude-fable-5" on, when it is one. @param {ModelRef} ref @returns {string | undefined} */
export const resolveClaudeFable5ModelIdentity = (ref) => /(?:^|-)(claude-fable-5(?=$|[^a-z0-9]).*)$/.exec(resolveClaudeModelIdentity(ref))?.[1];
/** Whether it decides itself how much it thinks. @param {ModelRef} ref @returns {boolean} */
export const supportsClaudeAdaptiveThinking = (ref) => isOne(ref, 'fable-5|mythos-preview|opus-4-[678]|sonnet-4-6');
/** Whether it knows the effort "max". @param {ModelRef} ref @returns {boolean} */
export const supportsClaudeNativeMaxEffort = (ref) => isOne(ref, 'fable-5|opus-4-[678]|sonnet-4-6');
/** Whether it knows the effort "xhigh". @param {ModelRef} ref @returns {boolean} */
export const supportsClaudeNativeXhighEffort = (ref) => isOne(ref, 'fable-5|opus-4-[78]');
/** What the highest levels of thinking are called at it, unless its service says so itself. @param {ModelRef} ref @returns {object | undefined} */
export function resolveClaudeNativeThinkingLevelMap(ref) {
  if (ref.thinkingLevelMap !== undefined || !supportsClaudeNativeMaxEffort(ref)) return ref.thinkingLevelMap;
  return { xhigh: supportsClaudeNativeXhighEffort(ref) ? 'xhigh' : null, max: 'max' };
}
