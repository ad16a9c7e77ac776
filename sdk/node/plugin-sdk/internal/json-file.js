// JSON files that are replaced as a whole.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';

/** Writes a JSON file (mode 0600, directory 0700) so that readers see the old or the new content, never a part. */
export async function writeJsonFileAtomically(file, value) {
  const directory = path.dirname(file);
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = path.join(directory, `.${path.basename(file)}.${randomUUID()}.tmp`);
  try {
    const handle = await fs.open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, file);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

/** Reads a JSON file; a file that is missing or broken gives the fallback. */
export async function readJsonFileWithFallback(file, fallback) {
  let text;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') return { value: fallback, exists: true };
    return { value: fallback, exists: false };
  }
  try {
    return { value: JSON.parse(text) ?? fallback, exists: true };
  } catch {
    return { value: fallback, exists: true };
  }
}

/**
 * Reads a JSON file.
 * @param {string} file
 * @returns {unknown} `undefined` for one that is missing or broken
 */
export function loadJsonFile(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes a JSON file (mode 0600) as a whole.
 * @param {string} file
 * @param {unknown} value
 * @returns {void}
 */
export function saveJsonFile(file, value) {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(temporary, file);
    chmodSync(file, 0o600);
  } finally {
    rmSync(temporary, { force: true });
  }
}
