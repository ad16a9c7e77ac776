// ffmpeg and ffprobe of the system.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { normalizeLowercaseStringOrEmpty } from '../strings.js';
import { MEDIA_FFMPEG_MAX_BUFFER_BYTES, MEDIA_FFMPEG_TIMEOUT_MS, MEDIA_FFPROBE_TIMEOUT_MS } from './limits.js';

const DIRECTORIES = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/snap/bin'];

/** A program in a directory that only an administrator writes to; not found is an error. */
function systemProgram(name) {
  const found = DIRECTORIES.map((directory) => path.join(directory, name)).find((file) => fs.existsSync(file));
  if (found) return found;
  throw new Error(`\`${name}\` was not found in the directories of the system; install it with the package manager of the system`);
}

/** The ffmpeg of the system. @returns {string} */
export const resolveFfmpegBin = () => systemProgram('ffmpeg');

function run(name, args, defaultTimeout, { timeoutMs = defaultTimeout, maxBufferBytes = MEDIA_FFMPEG_MAX_BUFFER_BYTES, input } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(systemProgram(name), args, { timeout: timeoutMs, maxBuffer: maxBufferBytes, encoding: 'buffer' }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout.toString());
      const told = String(stderr ?? '').trim().split('\n').slice(-3).join(' ');
      reject(new Error(`${name} failed: ${told || error.message}`, { cause: error }));
    });
    child.stdin?.on('error', () => {});
    if (input != null) child.stdin?.end(input);
  });
}

/** Runs ffmpeg and returns its standard output. @param {string[]} args @param {{ timeoutMs?: number, maxBufferBytes?: number }} [options] @returns {Promise<string>} */
export const runFfmpeg = async (args, options) => run('ffmpeg', args, MEDIA_FFMPEG_TIMEOUT_MS, options);

/** Runs ffprobe and returns its standard output. @param {string[]} args @param {{ timeoutMs?: number, maxBufferBytes?: number, input?: Buffer }} [options] @returns {Promise<string>} */
export const runFfprobe = async (args, options) => run('ffprobe', args, MEDIA_FFPROBE_TIMEOUT_MS, options);

/** Fields of ffprobe's `csv` output. @param {string} stdout @param {number} maxFields @returns {string[]} */
export const parseFfprobeCsvFields = (stdout, maxFields) => stdout.trim().split(/[,\r\n]+/, maxFields).map(normalizeLowercaseStringOrEmpty);

/** Codec and sample rate of ffprobe's `csv` output. @param {string} stdout @returns {{ codec: string | null, sampleRateHz: number | null }} */
export function parseFfprobeCodecAndSampleRate(stdout) {
  const [codec, rate] = parseFfprobeCsvFields(stdout, 2);
  const hertz = Number.parseInt(rate ?? '', 10);
  return { codec: codec || null, sampleRateHz: Number.isFinite(hertz) ? hertz : null };
}

/** Width and height of ffprobe's JSON output. @param {string} stdout @returns {{ width: number, height: number } | undefined} */
export function parseFfprobeVideoDimensions(stdout) {
  const { width, height } = JSON.parse(stdout).streams?.[0] ?? {};
  const ok = (value) => Number.isInteger(value) && value > 0;
  return ok(width) && ok(height) ? { width, height } : undefined;
}

/** Width and height of a video. @param {Buffer} buffer @returns {Promise<{ width: number, height: number } | undefined>} */
export async function probeVideoDimensions(buffer) {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=width,height', '-of', 'json', 'pipe:0'];
  return runFfprobe(args, { input: buffer }).then(parseFfprobeVideoDimensions, () => undefined);
}

/** Removes a file if it is there. @param {string | null} [filePath] @returns {Promise<void>} */
export const unlinkIfExists = async (filePath) => {
  if (filePath) await fs.promises.unlink(filePath).catch(() => {});
};
