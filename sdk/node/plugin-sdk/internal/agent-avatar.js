// The picture of an agent: of the page's settings, of the agent's, or of its `IDENTITY.md`.
import fs from 'node:fs';
import path from 'node:path';
import { normalizeAgentId } from './accounts.js';
import { resolveAgentIdentity } from './agent-identity.js';
import { resolveAgentWorkspaceDir, resolveDefaultAgentId } from './agents.js';
import { resolveUserPath } from './paths.js';
import { isPathInside } from './safe-files.js';
import { normalizeOptionalString } from './strings.js';

const PICTURES = new Set(['.png', '.jpg', '.jpeg', '.gif', '.webp', '.svg']);
/** How large a picture may be, in bytes. */
const MAX_BYTES = 2 * 1024 * 1024;

const real = (file) => {
  try {
    return fs.realpathSync(file);
  } catch {
    return path.resolve(file);
  }
};

/** The line `Avatar: …` of the agent's own description. What is still in brackets is a hint of the template. */
function ownAvatar(workspace) {
  let text;
  try {
    text = fs.readFileSync(path.join(workspace, 'IDENTITY.md'), 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split(/\r?\n/)) {
    const [, label, value] = /^\s*(?:-\s*)?([^:]*):(.*)$/.exec(line) ?? [];
    if (label?.replace(/[*_]/g, '').trim().toLowerCase() !== 'avatar') continue;
    const said = value.replace(/^[*_]+|[*_]+$/g, '').trim();
    if (said && !/^[*_]?\(.*\)[*_]?$/.test(said)) return said;
  }
  return undefined;
}

function localPicture(source, workspace) {
  const root = real(workspace);
  const filePath = real(source.startsWith('~') || path.isAbsolute(source) ? resolveUserPath(source) : path.resolve(root, source));
  if (!isPathInside(root, filePath)) return { reason: 'outside_workspace' };
  if (!PICTURES.has(path.extname(filePath).toLowerCase())) return { reason: 'unsupported_extension' };
  const stat = fs.statSync(filePath, { throwIfNoEntry: false });
  if (!stat?.isFile()) return { reason: 'missing' };
  return stat.size > MAX_BYTES ? { reason: 'too_large' } : { filePath };
}

/**
 * The picture of an agent. Files must lie in its workspace.
 * @param {any} cfg @param {string} agentId @param {{includeUiOverride?: boolean}} [opts] whether the page's setting counts
 * @returns {{kind: 'none', reason: string, source?: string} | {kind: 'remote' | 'data', url: string, source: string} | {kind: 'local', filePath: string, source: string}}
 */
export function resolveAgentAvatar(cfg, agentId, opts) {
  const id = normalizeAgentId(agentId);
  const page = opts?.includeUiOverride ? normalizeOptionalString(cfg.ui?.assistant?.avatar) : undefined;
  const workspace = resolveAgentWorkspaceDir(cfg, id);
  const first = id === normalizeAgentId(resolveDefaultAgentId(cfg)) ? page : undefined;
  const source = first ?? normalizeOptionalString(resolveAgentIdentity(cfg, id)?.avatar) ?? ownAvatar(workspace) ?? page;
  if (!source) return { kind: 'none', reason: 'missing' };
  if (/^https?:\/\//i.test(source)) return { kind: 'remote', url: source, source };
  if (/^data:/i.test(source)) return { kind: 'data', url: source, source };
  const { reason, filePath } = localPicture(source, workspace);
  return filePath ? { kind: 'local', filePath, source } : { kind: 'none', reason, source };
}
