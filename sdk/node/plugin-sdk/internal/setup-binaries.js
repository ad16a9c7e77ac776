// Programs that a setup looks for.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { resolveUserPath } from './paths.js';

const runs = (file) => {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
};
const inPath = (name, extensions = ['']) => (process.env.PATH ?? '').split(path.delimiter).filter(Boolean).flatMap((dir) => extensions.map((ext) => path.join(dir, name + ext))).find(runs);

/**
 * Whether a program is there, by its name or path.
 * @param {string} name
 * @returns {Promise<boolean>}
 */
export async function detectBinary(name) {
  const text = name?.trim();
  if (!text || text.startsWith('-') || /[\0\n\r;&|`$<>"']/.test(text)) return false;
  const file = text.startsWith('~') ? resolveUserPath(text) : text;
  if (path.isAbsolute(file) || /^\.|[\\/]/.test(file)) return fs.existsSync(file);
  return inPath(file, process.platform === 'win32' ? (process.env.PATHEXT ?? '.EXE;.CMD;.BAT').split(';') : ['']) !== undefined;
}

/**
 * Where Homebrew is.
 * @param {{homeDir?: string}} [options]
 * @returns {string | undefined}
 */
export function resolveBrewExecutable({ homeDir = os.homedir() } = {}) {
  return inPath('brew') ?? [path.join(homeDir, '.linuxbrew/bin/brew'), '/home/linuxbrew/.linuxbrew/bin/brew', '/opt/homebrew/bin/brew', '/usr/local/bin/brew'].find(runs);
}

/**
 * The status step of a wizard for a channel that needs a program.
 * @param {object} params `channelLabel`, `binaryLabel`, `configuredLabel`, `unconfiguredLabel`, `configuredHint`, `unconfiguredHint`, `configuredScore`, `unconfiguredScore`, `resolveConfigured`, `resolveBinaryPath`, `detectBinary`
 * @returns {object}
 */
export function createDetectedBinaryStatus(params) {
  const { detectBinary: detect = detectBinary, resolveBinaryPath } = params;
  const there = (where) => detect(resolveBinaryPath({ cfg: where.cfg, accountId: where.accountId }));
  const status = Object.fromEntries(['configuredLabel', 'unconfiguredLabel', 'configuredHint', 'unconfiguredHint', 'configuredScore', 'unconfiguredScore', 'resolveConfigured'].map((key) => [key, params[key]]));
  return {
    ...status,
    async resolveStatusLines({ cfg, accountId, configured }) {
      const found = (await there({ cfg, accountId })) ? 'found' : 'missing';
      return [`${params.channelLabel}: ${configured ? status.configuredLabel : status.unconfiguredLabel}`, `${params.binaryLabel}: ${found} (${resolveBinaryPath({ cfg, accountId })})`];
    },
    resolveSelectionHint: async (where) => ((await there(where)) ? status.configuredHint : status.unconfiguredHint),
    resolveQuickstartScore: async (where) => ((await there(where)) ? status.configuredScore : status.unconfiguredScore),
  };
}
