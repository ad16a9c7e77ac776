// Colours of the terminal, and whether there is one.
import { styleText } from 'node:util';

/** Whether output may be coloured. */
const coloured = () => {
  const forced = process.env.FORCE_COLOR?.trim();
  if (process.env.NO_COLOR && !forced) return false;
  return forced ? forced !== '0' : Boolean(process.stdout.isTTY);
};
const style = (format) => (...parts) => (coloured() ? styleText(format, parts.join(' '), { validateStream: false }) : parts.join(' '));

/**
 * Styles by what a text is.
 * @type {Record<string, (...parts: unknown[]) => string>}
 */
export const theme = {
  accent: style('cyan'), accentBright: style('cyanBright'), accentDim: style('blue'), info: style('cyan'), success: style('green'), warn: style('yellow'),
  error: style('red'), muted: style('gray'), heading: style(['bold', 'cyan']), command: style('cyanBright'), option: style('yellow'),
};
/**
 * @param {...unknown} parts
 * @returns {string}
 */
export const danger = theme.error;
/**
 * @param {...unknown} parts
 * @returns {string}
 */
export const warn = theme.warn;
/**
 * @param {...unknown} parts
 * @returns {string}
 */
export const info = theme.info;
/**
 * @param {...unknown} parts
 * @returns {string}
 */
export const success = theme.success;

/**
 * @returns {boolean} whether output is coloured
 */
export const isRich = () => coloured();

/**
 * @param {boolean} rich
 * @param {(text: string) => string} color
 * @param {string} value
 * @returns {string}
 */
export const colorize = (rich, color, value) => (rich ? color(value) : value);
