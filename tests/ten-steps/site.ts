/**
 * A clearinghouse and its customers' license servers as processes on loopback, each with a data folder
 * and an instance folder of its own, and the books of all of them in one look.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTime } from '../in-time.ts';
import type { Agreement, DeskAnswer, Line, Pack, Status } from './answers.ts';
import type { RefusedEnd, Started } from './program.ts';
import { Calyx } from './program.ts';

export const agreement = '4965437';
export const product = 'ts-2012r2';
export const cals: readonly string[] = ['--product', product, '--type', 'device'];

/** A line of the log with level error or fatal. */
const unexpected = /"level":(?:50|60|"error"|"fatal")/;

/** A program with its folder, at which commands are given; it may run as a service meanwhile, or not. */
export class Machine {
  readonly name: string;
  readonly kind: 'clearinghouse' | 'server';
  readonly data: string;
  readonly #calyx: Calyx;
  #service: Started | undefined;
  #address = '';

  constructor(calyx: Calyx, place: { name: string; kind: Machine['kind']; data: string }) {
    this.name = place.name;
    this.kind = place.kind;
    this.data = place.data;
    this.#calyx = calyx;
  }

  get runs(): boolean {
    return this.#service !== undefined;
  }

  /** Where the service listens. */
  get address(): string {
    assert.notEqual(this.#address, '', `${this.name} does not run`);
    return this.#address;
  }

  /** The administrator's token, as whoever sits at the machine can read it. */
  get token(): string {
    return readFileSync(join(this.data, 'admin-token'), 'utf8').trim();
  }

  /** A command here that must succeed. */
  async done<T>(...words: readonly string[]): Promise<T> {
    return this.#calyx.done<T>(...words, '--data', this.data);
  }

  /** A command here that must be refused. */
  async refused(...words: readonly string[]): Promise<RefusedEnd> {
    return this.#calyx.refused(...words, '--data', this.data);
  }

  /** A command here as people see it. */
  async page(...words: readonly string[]): Promise<string> {
    return this.#calyx.page(...words, '--data', this.data);
  }

  /** A command here that is not waited for. */
  begin(...words: readonly string[]): Started {
    return this.#calyx.start([...words, '--data', this.data, '--json']);
  }

  /** Starts the service on a free port, and waits until it says where it listens. */
  async serve(): Promise<string> {
    assert.equal(this.#service, undefined, `${this.name} runs already`);
    const started = this.begin(this.kind, 'serve', '--port', '0');
    const ready = JSON.parse(await inTime(`${this.name} serves`, started.line)) as { address?: string };
    assert.match(ready.address ?? '', /^http:\/\/127\.0\.0\.1:\d+$/, started.said());
    this.#service = started;
    this.#address = ready.address ?? '';
    return this.#address;
  }

  /** Ctrl-C: the service ends by itself, and well, and never met anything that it did not expect. */
  async stop(): Promise<void> {
    const { exit, stderr } = await this.#signal('SIGTERM');
    assert.equal(exit, 0, `${this.name}: ${stderr}`);
    assert.doesNotMatch(stderr, unexpected, this.name);
  }

  /** What the running service has logged of things that it did not expect. */
  complaint(): string {
    const said = this.#service?.said() ?? '';
    return unexpected.test(said) ? `${this.name}: ${said}` : '';
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#signal('SIGKILL');
  }

  async #signal(signal: 'SIGTERM' | 'SIGKILL') {
    const service = this.#service;
    assert.ok(service, `${this.name} does not run`);
    this.#service = undefined;
    this.#address = '';
    service.child.kill(signal);
    return inTime(`the end of ${this.name}`, service.ended);
  }

  async status(): Promise<Status> {
    return this.done<Status>('server', 'status');
  }

  /** A GET of the service, with the administrator's token. */
  async get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.address}${path}`, {
      headers: { authorization: `Bearer ${this.token}` },
      signal: AbortSignal.timeout(30_000),
    });
    assert.equal(answer.status, 200, path);
    return (await answer.json()) as T;
  }
}

export interface Site {
  readonly dir: string;
  readonly calyx: Calyx;
  readonly clearinghouse: Machine;
  /** The publisher bundle, and the agreement kit of the agreement. */
  readonly bundle: string;
  readonly kit: string;
  readonly file: (name: string) => string;
  /** A new license server: `server init` with these words. */
  readonly addServer: (name: string, ...words: readonly string[]) => Promise<Machine>;
  /** Puts the clock of all programs to a time to come, those that run included. */
  readonly setClock: (ms: number) => void;
  readonly close: () => Promise<void>;
}

/** A machine in the folder of a site; its instance folder lies elsewhere, as on a real machine. */
function placeOf(calyx: Calyx, dir: string, name: string): { machine: Machine; instance: string } {
  const kind = name === 'clearinghouse' ? 'clearinghouse' : 'server';
  const data = join(dir, 'data', name.toLowerCase());
  const machine = new Machine(calyx, { name, kind, data });
  return { machine, instance: join(dir, 'instances', name.toLowerCase()) };
}

/** A publisher with one product and one agreement of `quantity` CALs per device; nothing serves yet. */
export async function openSite(quantity: number, options: { readonly clock?: boolean } = {}): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-ten-steps-'));
  const clockFile = join(dir, 'clock');
  const setClock: Site['setClock'] = (ms) => writeFileSync(clockFile, String(Math.round(ms - Date.now())));
  setClock(Date.now());
  const calyx = new Calyx(join(dir, 'compile-cache'), options.clock === true ? clockFile : undefined);
  const { machine: clearinghouse, instance } = placeOf(calyx, dir, 'clearinghouse');
  const machines = [clearinghouse];
  const made = await clearinghouse.done<{ bundle: string }>(
    ...['clearinghouse', 'init', '--publisher', 'Sample Publisher', '--instance', instance],
  );
  const name = ['--name', 'Terminal Server 2012 R2', '--family', 'ts', '--version', '9'];
  await clearinghouse.done('clearinghouse', 'product', 'add', '--id', product, ...name);
  const bought = ['--number', agreement, '--program', 'select', '--customer', 'Contoso'];
  await clearinghouse.done(
    ...['clearinghouse', 'agreement', 'add', ...bought, ...cals, '--quantity', String(quantity)],
  );
  const kit = join(dir, 'agreement-kit.json');
  await clearinghouse.done('clearinghouse', 'kit', '--agreement', agreement, '--out', kit);
  const addServer: Site['addServer'] = async (serverName, ...words) => {
    const place = placeOf(calyx, dir, serverName);
    const own = ['--name', serverName, '--instance', place.instance];
    machines.push(place.machine);
    await place.machine.done('server', 'init', '--bundle', made.bundle, ...own, ...words);
    return place.machine;
  };
  const close = async (): Promise<void> => {
    const complaints = machines.map((machine) => machine.complaint()).filter((each) => each !== '');
    await calyx.close();
    rmSync(dir, { recursive: true, force: true });
    assert.deepEqual(complaints, []);
  };
  return {
    ...{ dir, calyx, clearinghouse, bundle: made.bundle, kit, addServer, setClock, close },
    file: (fileName) => join(dir, fileName),
  };
}

/** Activates a server that knows the kit by codes that are read out, and installs so many CALs on it. */
export async function supplyByTelephone(site: Site, server: Machine, quantity: number): Promise<void> {
  const { licenseServerId } = await server.status();
  const desk = ['--agreement', agreement, '--server-id', licenseServerId];
  const activation = await site.clearinghouse.done<DeskAnswer>('desk', 'activate', ...desk);
  await server.done('server', 'activate', '--code', activation.code ?? '');
  if (quantity === 0) return;
  const wanted = [...desk, ...cals, '--quantity', String(quantity)];
  const pack = await site.clearinghouse.done<DeskAnswer>('desk', 'key-pack', ...wanted);
  await server.done('server', 'install', '--code', pack.code ?? '', '--yes');
}

/** The clearinghouse serves, and LS-OLD with so many CALs and LS-NEW with none serve and are activated by connection. */
export async function addPair(
  site: Site,
  quantity: number,
): Promise<{ readonly old: Machine; readonly next: Machine }> {
  const url = await site.clearinghouse.serve();
  const old = await site.addServer('LS-OLD', '--clearinghouse', url);
  const next = await site.addServer('LS-NEW', '--clearinghouse', url);
  await Promise.all([old.serve(), next.serve()]);
  for (const server of [old, next]) await server.done('server', 'activate', '--agreement', agreement);
  await old.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', String(quantity));
  return { old, next };
}

/** Installed, issued, unissued, held, reserved, quarantined. */
export type PackCounts = readonly number[];
/** Entitled, in hand, committed, in transit, quarantined, retired. */
export type LineCounts = readonly number[];

const noPack: PackCounts = [0, 0, 0, 0, 0, 0];

/** Promise 1 on a license server: installed = issued + unissued + held + reserved + quarantined. */
function packCounts(name: string, packs: readonly Pack[]): PackCounts {
  assert.ok(packs.length <= 1, `${name} has one line at most`);
  const [pack] = packs;
  if (pack === undefined) return noPack;
  const { installed, issued, unissued, held, reserved, quarantined } = pack;
  const counts = [installed, issued, unissued, held, reserved, quarantined];
  assert.ok(
    counts.every((count) => Number.isSafeInteger(count) && count >= 0),
    `${name}: ${JSON.stringify(pack)}`,
  );
  assert.equal(installed, issued + unissued + held + reserved + quarantined, JSON.stringify(pack));
  return counts;
}

/** Promise 1 at the clearinghouse: entitled = in hand + committed + in transit + quarantined + retired. */
function lineCounts(line: Line | undefined): LineCounts {
  assert.ok(line, 'the agreement has its line');
  const { entitled, inHand, committed, inTransit, quarantined, retired } = line;
  const counts = [entitled, inHand, committed, inTransit, quarantined, retired];
  assert.ok(
    counts.every((count) => Number.isSafeInteger(count) && count >= 0),
    JSON.stringify(line),
  );
  assert.equal(entitled, inHand + committed + inTransit + quarantined + retired, JSON.stringify(line));
  return counts;
}

/** What may be assigned out there is never more than the clearinghouse has given (protocol §1.3, I3). */
function expectLinked([, , committed = 0, inTransit = 0]: LineCounts, packs: readonly PackCounts[]): void {
  const assignable = packs.map(([installed = 0, , , held = 0]) => installed - held);
  const sum = assignable.reduce((total, count) => total + count, 0);
  assert.ok(
    sum <= committed + inTransit,
    `${sum} assignable, ${committed} committed, ${inTransit} in transit`,
  );
}

export interface Books {
  readonly clearinghouse: LineCounts;
  readonly [server: string]: PackCounts;
}

/** Looks at all books, each of which must add up (promise 1): at a service by HTTP, else by command. */
export async function readBooks(site: Site, servers: readonly Machine[]): Promise<Books> {
  const { clearinghouse } = site;
  const [paper, ...states] = await Promise.all([
    clearinghouse.runs
      ? clearinghouse.get<Agreement>(`/v1/agreements/${agreement}`)
      : clearinghouse.done<Agreement>('clearinghouse', 'agreement', 'show', agreement),
    ...servers.map((server) => (server.runs ? server.get<Status>('/v1/admin/status') : server.status())),
  ]);
  const packs = servers.map(({ name }, index) => packCounts(name, states[index]?.packs ?? []));
  const line = lineCounts(paper.lines[0]);
  expectLinked(line, packs);
  const named = servers.map(({ name }, index) => [name, packs[index]]);
  return { clearinghouse: line, ...Object.fromEntries(named) } as Books;
}

/** The books must add up, and be exactly these. */
export async function expectBooks(site: Site, servers: readonly Machine[], expected: Books): Promise<void> {
  assert.deepEqual(await readBooks(site, servers), expected);
}
