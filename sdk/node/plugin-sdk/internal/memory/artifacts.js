// Files of a workspace's memory that other plugins may read.
import fs from 'node:fs/promises';
import path from 'node:path';
import { resolveMemoryDreamingWorkspaces } from './dreaming.js';
import { resolveMemoryHostEventLogPath } from './markdown.js';

/** Files of a directory and of those below, links not followed, in the order of their names. */
async function filesBelow(dir) {
  const entries = await fs.readdir(dir, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(entries.map(async (entry) => {
    const file = path.join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(file) : entry.isFile() ? [file] : [];
  }));
  return found.flat().sort((a, b) => a.localeCompare(b));
}

/**
 * The memory of one workspace: its root file, daily notes, reports of dreams and the log of events.
 * @param {{workspaceDir: string, agentIds: string[]}} params
 * @returns {Promise<{kind: string, workspaceDir: string, relativePath: string, absolutePath: string, agentIds: string[], contentType: string}[]>}
 */
export async function listMemoryWorkspacePublicArtifacts({ workspaceDir, agentIds }) {
  const relative = (file) => path.relative(workspaceDir, file).replaceAll('\\', '/');
  const row = (kind, absolutePath, contentType = 'markdown') => ({ kind, workspaceDir, relativePath: relative(absolutePath), absolutePath, agentIds: [...agentIds], contentType });
  const isFile = (file) => fs.stat(file).then((stat) => stat.isFile(), () => false);
  const rootFile = (await fs.readdir(workspaceDir, { withFileTypes: true }).catch(() => [])).some((entry) => entry.isFile() && entry.name === 'MEMORY.md');
  const notes = (await filesBelow(path.join(workspaceDir, 'memory'))).filter((file) => file.endsWith('.md'));
  const log = resolveMemoryHostEventLogPath(workspaceDir);
  return [
    ...(rootFile ? [row('memory-root', path.join(workspaceDir, 'MEMORY.md'))] : []),
    ...notes.map((file) => row(relative(file).startsWith('memory/dreaming/') ? 'dream-report' : 'daily-note', file)),
    ...((await isFile(log)) ? [row('event-log', log, 'json')] : []),
  ];
}

/** The same for all workspaces of the configuration. @param {{cfg: any}} params @returns {Promise<any[]>} */
export const listMemoryHostPublicArtifacts = async ({ cfg }) => (await Promise.all(resolveMemoryDreamingWorkspaces(cfg).map(listMemoryWorkspacePublicArtifacts))).flat();
