/**
 * The paper agreement: one page of HTML to print, with what the administrator has to have at hand on the
 * telephone, the kit as a QR code, and room to write codes down. HTML, because a browser prints the names
 * of customers in every script; the page needs no network and runs no script.
 */
import { spellingWord } from '../core/spelling.ts';
import { escapeHtml } from '../platform/html.ts';
import type { Agreement } from './clearinghouse-agreement.ts';
import { programName } from './clearinghouse-agreement.ts';

export interface KitSheet {
  readonly publisher: string;
  readonly agreement: Agreement;
  readonly kitId: string;
  /** How many license servers the kit has slots for. */
  readonly room: number;
  /** The kit as an SVG picture of a QR code; null where it is too long for one. */
  readonly qr: string | null;
}

const style = `
@page { margin: 14mm; }
@media print { body.sheet { margin: 0 auto; padding: 0; font-size: 10pt; } }
body { font: 11pt/1.4 system-ui, sans-serif; color: #000; background: #fff; max-width: 180mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font-size: 20pt; margin: 0; }
h2 { font-size: 12pt; margin: 6mm 0 1mm; border-bottom: 0.5pt solid #000; break-after: avoid; }
.number { font: 700 22pt/1.2 ui-monospace, monospace; overflow-wrap: anywhere; }
.top { display: flex; gap: 8mm; justify-content: space-between; align-items: flex-start; }
.top > div { min-width: 0; flex: 1; overflow-wrap: anywhere; }
.top > .qr { flex: 0 0 78mm; text-align: center; font-size: 8.5pt; }
.qr svg { width: 78mm; height: 78mm; display: block; }
.facts th { white-space: nowrap; overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.8mm 4mm 0.8mm 0; border-bottom: 0.25pt solid #999; overflow-wrap: anywhere; }
td.count, th.count { text-align: right; padding-right: 0; white-space: nowrap; }
.boxes { display: flex; gap: 3mm; margin: 1mm 0 3mm; }
.boxes span { flex: 1; height: 9mm; border: 0.5pt solid #000; }
.alphabet { columns: 6; font-size: 8.5pt; }
code { font-family: ui-monospace, monospace; font-size: 9.5pt; overflow-wrap: anywhere; }
section { break-inside: avoid; }
ol { padding-left: 6mm; }
`;

const rows = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join('');

/** Seven groups of five, to be filled in with a pen. */
const boxes = (title: string): string =>
  `<section><div>${escapeHtml(title)}</div><div class="boxes">${'<span></span>'.repeat(7)}</div></section>`;

function linesTable(agreement: Agreement): string {
  const body = agreement.lines
    .map(
      ({ name, product, type, entitled }) =>
        `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(product)}</td><td>per ${escapeHtml(type)}</td>` +
        `<td class="count">${entitled}</td></tr>`,
    )
    .join('');
  return `<table><tr><th>Product</th><th>Its id</th><th>CALs</th><th class="count">Bought</th></tr>${body}</table>`;
}

function picture(qr: string | null): string {
  return qr === null
    ? '<div class="qr">This kit is too long for a QR code. Carry it as a file.</div>'
    : `<div class="qr">${qr}The agreement kit. It is no secret.</div>`;
}

/** The letters and digits of codes: there is no I, L, O or U in one. */
function alphabet(): string {
  const words = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'].map(
    (character) => `<div><b>${character}</b> ${escapeHtml(spellingWord(character))}</div>`,
  );
  return `<div class="alphabet">${words.join('')}</div>`;
}

const steps = `
<ol>
<li>On the license server: <code>calyx server init --data DIR --bundle BUNDLE --kit KIT-FILE</code>; on a server that is there already:
<code>calyx server kit add KIT-FILE</code>.</li>
<li>Call the clearinghouse with this sheet in hand. Name the agreement number and read the License Server ID, group by group
(<code>calyx server status</code> shows it with its spelling words).</li>
<li>Write the activation code down, type it (<code>calyx server activate --code CODE</code>), then ask for the CALs and type their CAL Key
Pack ID (<code>calyx server install --code CODE</code>).</li>
</ol>`;

/** The sheet as one HTML document. */
export function kitSheet({ publisher, agreement, kitId, room, qr }: KitSheet): string {
  const quoted: (readonly [string, string])[] = [
    ...(agreement.authorization === null ? [] : [['Authorization number', agreement.authorization] as const]),
    ...(agreement.license === null ? [] : [['License number', agreement.license] as const]),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(`Agreement ${agreement.number}`)}</title><style>${style}</style></head><body class="sheet">
<div class="top"><div><div>${escapeHtml(publisher)}</div><h1>Client access licenses</h1>
<p>Agreement or enrollment number<br><span class="number">${escapeHtml(agreement.number)}</span></p>
<table class="facts">${rows([
    ['Customer', agreement.customer],
    ['License program', programName(agreement.program)],
    ...quoted,
    ['Room for', `${room} license server${room === 1 ? '' : 's'}`],
    ['Kit', kitId],
  ])}</table></div>${picture(qr)}</div>
<h2>What was bought</h2>${linesTable(agreement)}
<h2>By telephone</h2>${steps}
${boxes('License Server ID (begins with 2 or 3)')}${boxes('Activation code (begins with 4 or 5)')}${boxes('CAL Key Pack ID (begins with 6 or 7)')}
<h2>How letters and digits are said</h2>${alphabet()}
</body></html>
`;
}
