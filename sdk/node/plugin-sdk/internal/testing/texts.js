// Texts, messages and modules of tests.
import fs from 'node:fs/promises';
import path from 'node:path';

/**
 * @param {string} text
 * @returns {string} without colours and links of a terminal
 */
export const stripAnsi = (text) => text.replace(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '').replace(/[\u001b\u009b]\[[0-9;?]*[ -/]*[@-~]/g, '');

/**
 * @param {string} text
 * @returns {number}
 */
export const countLines = (text) => (text ? text.split('\n').length : 0);

/**
 * Whether every code fence of a text is closed.
 * @param {string} text
 * @returns {boolean}
 */
export function hasBalancedFences(text) {
  let open = null;
  for (const line of text.split('\n')) {
    const marks = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (!marks) continue;
    if (!open) open = marks;
    else if (open[0] === marks[0] && marks.length >= open.length) open = null;
  }
  return open === null;
}

/**
 * @template T
 * @param {T[]} cases
 * @returns {T[]} the same, for its type
 */
export const typedCases = (cases) => cases;

/**
 * @param {unknown} message
 * @returns {object} the same, for its type
 */
export const castAgentMessage = (message) => message;

/**
 * @param {object} [overrides]
 * @returns {object}
 */
export const makeAgentUserMessage = (overrides = {}) => ({ role: 'user', content: 'hello', timestamp: 0, ...overrides });

/**
 * @param {object} [overrides]
 * @returns {object}
 */
export const makeAgentAssistantMessage = (overrides = {}) => ({
  role: 'assistant', content: [{ type: 'text', text: 'hello' }], api: 'openai-responses', provider: 'openai', model: 'test-model', stopReason: 'stop', timestamp: 0,
  usage: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 } },
  ...overrides,
});

/**
 * One prompt of a user.
 * @param {string} [content]
 * @returns {object[]}
 */
export const createSingleUserPromptMessage = (content = 'Reply with the word ok.') => [{ role: 'user', content, timestamp: Date.now() }];

/**
 * The texts of an answer.
 * @param {Array<{type: string, text?: string}>} content
 * @returns {string}
 */
export const extractNonEmptyAssistantText = (content) => content.filter(({ type }) => type === 'text').map(({ text }) => text?.trim()).filter(Boolean).join(' ');

/**
 * Imports a module once more.
 * @param {string} fromUrl
 * @param {string} specifier
 * @returns {Promise<object>}
 */
export const importFreshModule = (fromUrl, specifier) => import(new URL(specifier, fromUrl).href);

/**
 * Writes the file of a skill.
 * @param {{dir: string, name: string, description: string, metadata?: string, body?: string, frontmatterExtra?: string}} params
 * @returns {Promise<void>}
 */
export async function writeSkill({ dir, name, description, metadata, body, frontmatterExtra }) {
  const head = ['---', `name: ${name}`, `description: ${description}`, metadata && `metadata: ${metadata}`, frontmatterExtra, '---'].filter(Boolean);
  await fs.mkdir(dir, { recursive: true });
  await fs.writeFile(path.join(dir, 'SKILL.md'), `${head.join('\n')}\n\n${body ?? `# ${name}`}\n`);
}

/**
 * @param {string[]} values
 * @returns {string[]} sorted, each once
 */
export const uniqueSortedStrings = (values) => [...new Set(values)].sort((a, b) => a.localeCompare(b));

/**
 * The entries of a list in one variable.
 * @param {string | undefined} raw
 * @returns {Set<string> | null} `null` for all
 */
export function parseCsvFilter(raw) {
  const text = raw?.trim();
  if (!text || text === 'all') return null;
  const entries = text.split(',').map((entry) => entry.trim().toLowerCase()).filter(Boolean);
  return entries.length > 0 ? new Set(entries) : null;
}
