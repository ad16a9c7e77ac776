// What a spoken session is told of the agent: its profile files.
import fs from 'node:fs/promises';
import path from 'node:path';
import { resolveAgentWorkspaceDir } from '../agents.js';

/** In the order in which they are told. */
export const REALTIME_BOOTSTRAP_CONTEXT_FILE_NAMES = ['IDENTITY.md', 'USER.md', 'SOUL.md'];
/** All of it, in characters. */
const MOST = 12_000;
const HEAD = '## Who you are\nThe following files of the agent say who it is and whom it speaks with. Keep to them in what you say; do not read them aloud.';

/**
 * The profile of an agent as instructions; `undefined` when it has none.
 * @param {{config: object, agentId: string, files?: string[], sessionKey?: string, warn?: (text: string) => void}} params
 * @returns {Promise<string | undefined>}
 */
export async function resolveRealtimeBootstrapContextInstructions({ config, agentId, files = REALTIME_BOOTSTRAP_CONTEXT_FILE_NAMES, warn }) {
  const known = files.filter((name) => REALTIME_BOOTSTRAP_CONTEXT_FILE_NAMES.includes(name) || void warn?.(`skipping unsupported realtime bootstrap context file "${name}"`));
  const dir = resolveAgentWorkspaceDir(config, agentId);
  const read = async (name) => ({ name, text: (await fs.readFile(path.join(dir, name), 'utf8').catch(() => '')).trimEnd() });
  const found = (await Promise.all([...new Set(known)].map(read))).filter(({ text }) => text.trim());
  if (found.length === 0) return undefined;
  const share = Math.floor((MOST - HEAD.length - found.reduce((sum, { name }) => sum + name.length + 8, 0)) / found.length);
  const told = found.map(({ name, text }) => {
    if (text.length > share) warn?.(`${name} is cut to ${share} of ${text.length} characters`);
    return `### ${name}\n${text.slice(0, share)}`;
  });
  return [HEAD, ...told].join('\n\n');
}
