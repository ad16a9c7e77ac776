// Which engine keeps memory, and the settings of the `qmd` one.
import fs from 'node:fs';
import path from 'node:path';
import { normalizeAgentId } from '../accounts.js';
import { resolveAgentConfig, resolveAgentWorkspaceDir } from '../agents.js';
import { resolveUserPath } from '../paths.js';
import { isPathInside } from '../safe-files.js';
import { parseDurationMs, splitShellArgs } from '../values.js';

const LIMITS = { maxResults: 4, maxSnippetChars: 450, maxInjectedChars: 2200, timeoutMs: 4000 };
const SCOPE = { default: 'deny', rules: [{ action: 'allow', match: { chatType: 'direct' } }] };

const slug = (text) => text.trim().toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+|-+$/g, '') || 'collection';
const number = (value, usual, least = 0) => (Number.isFinite(value) && value >= least ? Math.floor(value) : usual);
const positive = (value, usual) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : usual);
function every(text, usual) {
  try {
    return parseDurationMs(text?.trim() || usual, { defaultUnit: 'm' });
  } catch {
    return parseDurationMs(usual, { defaultUnit: 'm' });
  }
}
function placeOf(given, workspaceDir) {
  const text = given.trim();
  return path.normalize(text.startsWith('~') || path.isAbsolute(text) ? resolveUserPath(text) : path.resolve(workspaceDir, text));
}
/** A path as the disk has it, as far as it exists. */
function real(file) {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(real(parent), path.basename(file));
  }
}

/** Names collections so that none is taken twice. */
function namer() {
  const taken = new Set();
  return (wanted) => {
    const base = slug(wanted);
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
    taken.add(name);
    return name;
  };
}
function collectionsOf({ paths, includeDefaultMemory, workspaceDir, agentId }) {
  const nameOf = namer();
  const scoped = (base) => `${base}-${slug(agentId)}`;
  const own = includeDefaultMemory ? [['memory-root', workspaceDir, 'MEMORY.md'], ['memory-dir', path.join(workspaceDir, 'memory'), '**/*.md']] : [];
  const out = own.map(([base, place, pattern]) => ({ name: nameOf(scoped(base)), path: place, pattern, kind: 'memory' }));
  const seen = new Set();
  paths.forEach((entry, index) => {
    if (!entry?.path?.trim()) return;
    const place = placeOf(entry.path, workspaceDir);
    const pattern = entry.pattern?.trim() || '**/*.md';
    if (seen.has(`${place}\0${pattern}`)) return;
    seen.add(`${place}\0${pattern}`);
    const named = entry.name?.trim();
    const outside = named && !isPathInside(real(workspaceDir), real(place));
    out.push({ name: nameOf(outside ? named : scoped(named || `custom-${index + 1}`)), path: place, pattern, kind: 'custom' });
  });
  return out;
}
function bridgeOf(raw) {
  const enabled = raw?.enabled ?? false;
  return { enabled, serverName: raw?.serverName?.trim?.() || 'qmd', startDaemon: raw?.startDaemon ?? true };
}

/** The engine of an agent's memory. @param {{cfg: object, agentId: string}} params */
export function resolveMemoryBackendConfig({ cfg, agentId: given }) {
  const agentId = normalizeAgentId(given);
  const { backend = 'builtin', citations = 'auto', qmd } = cfg.memory ?? {};
  if (backend !== 'qmd') return { backend: 'builtin', citations };
  const workspaceDir = resolveAgentWorkspaceDir(cfg, agentId);
  const searches = [cfg.agents?.defaults?.memorySearch, resolveAgentConfig(cfg, agentId)?.memorySearch];
  const extra = [...new Set(searches.flatMap((search) => search?.extraPaths ?? []).filter((one) => typeof one === 'string').map((one) => one.trim()).filter(Boolean))];
  const collections = searches.flatMap((search) => search?.qmd?.extraCollections ?? []).filter((one) => one && typeof one === 'object' && typeof one.path === 'string');
  const includeDefaultMemory = qmd?.includeDefaultMemory !== false;
  const command = qmd?.command?.trim() || 'qmd';
  const { sessions, update, limits } = qmd ?? {};
  return {
    backend: 'qmd', citations,
    qmd: {
      command: splitShellArgs(command)?.[0] || command.split(/\s+/)[0] || 'qmd', mcporter: bridgeOf(qmd?.mcporter),
      searchMode: ['search', 'vsearch', 'query'].includes(qmd?.searchMode) ? qmd.searchMode : 'search', searchTool: qmd?.searchTool?.trim() || undefined,
      collections: collectionsOf({ paths: [...(qmd?.paths ?? []), ...extra.map((one) => ({ path: one })), ...collections], includeDefaultMemory, workspaceDir, agentId }), includeDefaultMemory,
      sessions: { enabled: Boolean(sessions?.enabled), exportDir: sessions?.exportDir?.trim() ? placeOf(sessions.exportDir, workspaceDir) : undefined, retentionDays: positive(sessions?.retentionDays) },
      update: {
        intervalMs: every(update?.interval, '5m'), debounceMs: number(update?.debounceMs, 15_000), onBoot: update?.onBoot !== false, startup: ['idle', 'immediate', 'off'].includes(update?.startup) ? update.startup : 'off',
        startupDelayMs: number(update?.startupDelayMs, 120_000), waitForBootSync: update?.waitForBootSync === true, embedIntervalMs: every(update?.embedInterval, '60m'),
        commandTimeoutMs: positive(update?.commandTimeoutMs, 30_000), updateTimeoutMs: positive(update?.updateTimeoutMs, 120_000), embedTimeoutMs: positive(update?.embedTimeoutMs, 120_000),
      },
      limits: Object.fromEntries(Object.entries(LIMITS).map(([key, usual]) => [key, positive(limits?.[key], usual)])), scope: qmd?.scope ?? SCOPE,
    },
  };
}
