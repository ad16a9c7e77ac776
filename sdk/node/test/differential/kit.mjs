// Inputs of the differential test: generated, and the same at each run.
import fs from 'node:fs';
import path from 'node:path';

let seed = 20260512;
export const random = (n) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
/** Begins anew with inputs of one name, so that no function's inputs depend on which were asked before. */
export const reseed = (name) => {
  seed = 20260512;
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) >>> 0;
};
export const pick = (list) => list[random(list.length)];
export const WORDS = ['', ' ', 'a', 'Default', ' Bob Smith ', 'x_y-z', '__proto__', '@User', '#Tag', '12', '3.5', '-7', '1e3', '0x1f', 'true', 'off', 'Extra High', 'ä ö', 'https://x.y/z?token=abcdefghijklmnopqrstuvwxyz', 'sk-abcdefghijklmnopqrstuvwxyz', '${API_KEY}', 'secretref-env:KEY', 'accessGroup:ops', '*', 'a\nb\n\nc', 'a'.repeat(70)];
export const SCALARS = [...WORDS, undefined, null, 0, 1, -1.5, 42, NaN, Infinity, true, false, 10n, [], {}, ['a', ' b ', ''], { source: 'env', provider: 'default', id: 'KEY' }, { source: 'file', id: '/a' }];
export const text = () => pick(WORDS);
export const scalar = () => pick(SCALARS);
export const list = (item = text) => Array.from({ length: random(4) }, item);

const reference = process.env.CHELA_REFERENCE_DIR;
/** Whether the reference at hand is 2026.6 or later: some helpers know more since. */
export const later = Boolean(reference && fs.existsSync(path.join(reference, 'package.json')) && JSON.parse(fs.readFileSync(path.join(reference, 'package.json'), 'utf8')).version >= '2026.6');

/** An argument that is made anew for each side, for functions that remember. */
export class Fresh {
  constructor(make) {
    this.make = make;
  }
}
