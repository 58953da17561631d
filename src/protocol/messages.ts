/**
 * What license servers and clearinghouse say to each other (protocol §2.3): the body of every
 * message type. How a body is wrapped and signed is the duty of envelope.ts.
 */

import type { Static } from 'typebox';
import Type from 'typebox';
import type { JsonObject } from '../core/json.ts';
import { recoveryReasons } from '../core/recovery.ts';
import { mostSeen, Note, ToldLog } from './log-exchange.ts';
import { Restored, Revalidate, Revalidated } from './past-bodies.ts';
import { Recovery, RecoveryReport } from './recovery.ts';
import { Books, DeadOutlook, End } from './rehearsal-bodies.ts';
import type { Parser, ReadonlyDeep } from './schema.ts';
import {
  Address,
  AgreementNumber,
  Bytes16,
  Bytes32,
  CalTypeName,
  ChainPosition,
  Count,
  closed,
  Holder,
  HorizonReveal,
  Id,
  LicenseServerIdText,
  LineNumber,
  ProductId,
  ProductInfo,
  parserOf,
  Reveal,
  Text,
  Time,
  Token,
  Units,
} from './schema.ts';
import { Resume, SourceSeen, Suspend } from './suspend-bodies.ts';
import { EarlierTrustLists } from './trust-lists.ts';

/** Any object, looked at by whoever understands it. */
const AnyObject = Type.Unsafe<JsonObject>(Type.Record(Type.String(), Type.Unknown()));
const Quantity = Type.Integer({ minimum: 1, maximum: 100_000_000 });
const QuantityOrAll = Type.Union([Quantity, Type.Literal('all')]);
const Line = { agreement: AgreementNumber, line: LineNumber };
const Leases = Type.Array(closed({ sub: Holder.properties.sub, leaseEnd: Time }));
const Holders = Type.Array(Holder);
/** Servers whose CALs had come to the source for holders whom it does not know by name, or who were never there: they may ask the target. */
const AlsoFrom = Type.Optional(Type.Array(LicenseServerIdText, { maxItems: 64 }));
/** A key pack that was read out: where it stands on its chain, and whose holders it is for. */
const TypedPack = { kBefore: ChainPosition, kAfter: ChainPosition, source: LicenseServerIdText };
/**
 * Held key packs below what a grant proves: those of them that were never typed are among its units, and belong to
 * the holders of their own source.
 */
const HeldBefore = Type.Optional(Type.Array(closed(TypedPack)));
const Statement = Type.String({ minLength: 1, maxLength: 1000 });
/** The number of a part of a long list. */
const Part = Type.Integer({ minimum: 0, maximum: 100_000 });
const Quoted = Type.String({ minLength: 1, maxLength: 40 });

/** How many codes a server has made with a ratchet, and of which acts. */
const Confirmations = { seq: Count, freezes: Count, releases: Count, returns: Count };

/**
 * What a source gave up: amounts of its freeze, and when the last token of each holder ends. `told`: the code
 * that says the same (protocol §3.6), by its authority and number; whoever hears of both takes one in.
 */
const released = {
  ...{ ...Line, unissued: Units, held: Units, leases: Leases, parts: Type.Optional(Part) },
  told: Type.Optional(closed({ aid: Bytes16, seq: Count })),
};

/** From a license server to the clearinghouse. */
const serverBodies = {
  /** "I am here": what was received and applied, so that it need not be sent again. */
  contact: closed({
    ack: Type.Array(Id),
    name: Text,
    method: Type.Enum(['automatic', 'web', 'telephone']),
    /** Its journal, and those of the clearinghouse as it has cosigned them (protocol §6). */
    logs: Type.Optional(closed({ own: ToldLog, seen: Type.Array(Note, { maxItems: mostSeen }) })),
    /** Where its clients reach it, where that was set: for the sources of moves to it. */
    address: Type.Optional(Address),
    /** How far it has come, for a clearinghouse that was restored and asks for it (protocol §5.6). */
    report: Type.Optional(RecoveryReport),
  }),
  /** Asks for a server certificate; `ekPublic` is a one-time X25519 key for K₀ (protocol §3.6). */
  activate: closed({
    agreement: AgreementNumber,
    name: Text,
    publicKey: Bytes32,
    ekPublic: Bytes32,
    contact: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][A-Za-z]{0,31}$' }), Text)),
    /** What it has made under the authority before: codes that were never read could not be read any more. */
    confirmations: Type.Optional(closed({ aid: Bytes16, ...Confirmations })),
    /** Why a server that was deactivated is activated again. */
    reason: Type.Optional(Type.Enum([...recoveryReasons])),
  }),
  /** Asks for a key pack, with what the license program wants to see quoted. */
  install: closed({
    agreement: AgreementNumber,
    product: ProductId,
    type: CalTypeName,
    quantity: Quantity,
    program: Type.Optional(closed({ authorization: Type.Optional(Quoted), license: Type.Optional(Quoted) })),
  }),
  'move-request': closed({
    agreement: AgreementNumber,
    product: ProductId,
    type: CalTypeName,
    quantity: QuantityOrAll,
    source: LicenseServerIdText,
    target: LicenseServerIdText,
    reason: Type.Enum(['replaced', 'dead']),
    hold: Type.Boolean(),
    /** Who declares that the source no longer functions, and what happened; with reason `dead` only. */
    statement: Type.Optional(closed({ by: Text, text: Statement })),
    /** The target has come in the source's place (protocol §5.5): why, whom it knows, and the old key's word for it. */
    recovery: Type.Optional(
      closed({
        reason: Type.Enum([...recoveryReasons]),
        restored: Type.Union([Count, Type.Null()]),
        proof: Type.Optional(Token),
      }),
    ),
  }),
  /**
   * What the clearinghouse would make of a move: it is answered at once with `rehearsed`, takes no number
   * in the sequence, and changes nothing.
   */
  rehearse: closed({
    agreement: AgreementNumber,
    product: ProductId,
    type: CalTypeName,
    quantity: QuantityOrAll,
    source: LicenseServerIdText,
    target: LicenseServerIdText,
    reason: Type.Enum(['replaced', 'dead']),
    carrier: Type.Enum(['online', 'telephone']),
    hold: Type.Boolean(),
    /** What the source would freeze; nothing of one that no longer functions. */
    unissued: Units,
    held: Units,
  }),
  /** A part of the list of holders, ahead of the receipt that it belongs to. */
  'frozen-part': closed({ part: Part, holders: Holders }),
  /** `parts`: how many parts of the list went before; `holders` is empty then. */
  frozen: closed({
    ...Line,
    unissued: Units,
    held: Units,
    holders: Holders,
    parts: Type.Optional(Part),
    alsoFrom: AlsoFrom,
  }),
  /** The source cannot freeze what it was asked to: nothing was frozen, and nothing will be. */
  declined: closed({ refused: AnyObject }),
  installed: closed({ ...Line, freeK: ChainPosition, heldK: ChainPosition }),
  verified: closed({}),
  /** A part of the lease ends, ahead of the receipt that they belong to. */
  'released-part': closed({ part: Part, leases: Leases }),
  released: closed(released),
  /** A part of the holders of what is given back, ahead of the receipt that they belong to. */
  'relinquished-part': closed({ part: Part, holders: Holders }),
  /** All that a move had brought, given back: who has some of it now keeps its license to the end. */
  relinquished: closed({
    ...Line,
    unissued: Units,
    held: Units,
    holders: Holders,
    parts: Type.Optional(Part),
  }),
  /** The target cannot give back what a move had brought: it has gone on from there, by codes, and nothing undoes that. */
  kept: closed({}),
  /** The administrator wants a move undone; answered by what undoes it, or refused after the commit. */
  undo: closed({}),
  return: closed({ ...Line, quantity: Quantity }),
  'source-seen': SourceSeen,
  /** What the sender says of the line of a move that has ended there (statement.ts). */
  statement: closed({ statement: Token }),
  restored: Restored,
  revalidate: Revalidate,
  /** The last words of a server; its releases and returns have gone before, each in its own message. */
  deactivate: closed({
    agreements: Type.Array(AgreementNumber),
    /** Units ever applied, by line, under whatever certificate: what was granted beyond stays committed. */
    applied: Type.Array(closed({ ...Line, units: Units })),
    /** How many confirmations it has made, and of what: one that was never read is settled by this. */
    confirmations: Type.Array(closed({ agreement: AgreementNumber, ...Confirmations })),
  }),
};

/** Where the target of a move is reached, where it has said so: the source refers its clients there. */
const TargetAddress = Type.Optional(Address);

/** From the clearinghouse to a license server. */
const clearinghouseBodies = {
  /** The answer to a contact: where the horizon stands now, and the trust lists. */
  welcome: closed({
    /** Messages of the server that are durably taken in: it need not send them again. */
    received: Type.Array(Id),
    horizon: Type.Array(closed({ agreement: AgreementNumber, ...HorizonReveal.properties })),
    /** Oldest first, the one in force last; none as long as there is only the first. */
    trustLists: Type.Optional(EarlierTrustLists),
    /** The journals of the server's agreements, and the server's own as it was cosigned (protocol §6). */
    logs: Type.Optional(closed({ own: Type.Array(ToldLog), seen: Type.Union([Note, Type.Null()]) })),
    /** Of a clearinghouse that was ever restored: it says so (protocol §5.6). */
    recovery: Type.Optional(Recovery),
  }),
  activated: closed({
    re: Id,
    certificate: Token,
    horizon: Type.Union([HorizonReveal, Type.Null()]),
    /**
     * Held key packs that were read out under the authority before: those of them that were never typed
     * are among the certificate's open units, and still belong to the holders of their source.
     */
    heldBefore: Type.Array(
      // `dead`: its source no longer functions, and what was declared of it is granted.
      closed({ line: LineNumber, ...TypedPack, dead: Type.Optional(Type.Boolean()) }),
    ),
    /** Those of unissued CALs of sources that no longer function: their holders have theirs first (protocol §2.5). */
    freeBefore: Type.Optional(Type.Array(closed({ line: LineNumber, ...TypedPack }))),
  }),
  /** `amount` more units, `total` ever on this chain: the proof is the chain value at k. */
  'key-pack': closed({
    re: Id,
    ...Line,
    product: ProductInfo,
    type: CalTypeName,
    amount: Units,
    ...Reveal.properties,
    total: Units,
    horizon: Type.Optional(HorizonReveal),
  }),
  /** The answer to `rehearse`; `books` has nothing where it would be refused. */
  rehearsed: closed({
    re: Id,
    now: Time,
    version: Text,
    refused: Type.Union([AnyObject, Type.Null()]),
    books: Type.Union([closed({ before: Books, frozen: Books, after: Books }), Type.Null()]),
    /** Whether the move is entered already: by telephone the desk has to do that. */
    entered: Type.Boolean(),
    source: End,
    target: End,
    /** Of a source that no longer functions; null for one that works. */
    dead: Type.Union([DeadOutlook, Type.Null()]),
  }),
  freeze: closed({ ...Line, quantity: QuantityOrAll, target: LicenseServerIdText, address: TargetAddress }),
  /** A part of the holders that a grant brings, ahead of it. */
  'grant-part': closed({ part: Part, holders: Holders }),
  grant: closed({
    ...Line,
    product: ProductInfo,
    type: CalTypeName,
    source: LicenseServerIdText,
    unissued: Units,
    held: Units,
    holders: Holders,
    parts: Type.Optional(Part),
    alsoFrom: AlsoFrom,
    free: Reveal,
    heldChain: Reveal,
    heldBefore: HeldBefore,
    provisional: Type.Boolean(),
    hold: Type.Boolean(),
    /** The source no longer functions: when its CALs are open to others (protocol §2.5), its horizon if that was not awaited (§5.5). */
    ...{ opensAt: Type.Optional(Time), atRiskUntil: Type.Optional(Time) },
  }),
  release: closed({ ...Line, address: TargetAddress }),
  final: closed({}),
  /** The source is closed for this move: inherited units are free when these leases have ended. */
  'source-closed': closed({ leases: Leases, parts: Type.Optional(Part) }),
  /** A part of these leases, ahead of it. */
  'source-closed-part': closed({ part: Part, leases: Leases }),
  /**
   * After a grant, also what the target has given back: who has some of it now is served by the source. Why the receipt of
   * the freeze was refused, where that has ended the move.
   */
  unfreeze: closed({
    ...Line,
    refused: Type.Optional(AnyObject),
    returned: Type.Optional(closed({ unissued: Units, holders: Holders, parts: Type.Optional(Part) })),
  }),
  /** A part of these holders, ahead of it. */
  'unfreeze-part': closed({ part: Part, holders: Holders }),
  /**
   * The grant is undone. It says again what it had brought, under which certificate: on a target that
   * the grant never reached, later positions of the same chains would bring these units all the same.
   */
  cancel: closed({
    ...Line,
    source: LicenseServerIdText,
    unissued: Units,
    held: Units,
    aid: Bytes16,
    free: Reveal,
    heldChain: Reveal,
    heldBefore: HeldBefore,
  }),
  /** What all sides have stated of a move; one that is not waited for may have stated nothing. */
  report: closed({
    clearinghouse: Token,
    source: Type.Union([Token, Type.Null()]),
    target: Type.Union([Token, Type.Null()]),
  }),
  /** The source of the move was declared to function no longer: its units wait for its horizon. */
  'source-dead': closed({
    ...Line,
    source: LicenseServerIdText,
    units: Units,
    horizon: Time,
    opensAt: Time,
    alsoFrom: AlsoFrom,
  }),
  suspend: Suspend,
  resume: Resume,
  /** The source has spoken after all: it keeps its units. */
  'source-lives': closed({}),
  /**
   * The generation is over; `moves` are those by which its units went to others, as it functioned no longer.
   * `frozen`: what it had frozen for this move, and no more of the line.
   */
  close: closed({
    gen: Count,
    moves: Type.Optional(
      Type.Array(
        closed({
          ...{ move: Id, ...Line, target: LicenseServerIdText },
          address: Type.Optional(Address),
          frozen: Type.Optional(Type.Literal(true)),
        }),
      ),
    ),
  }),
  deactivated: closed({ re: Id, gen: Count }),
  revalidated: Revalidated,
  /** The answer to message `re` is no; `refused` is what the HTTP answer would carry. */
  refused: closed({ re: Id, refused: AnyObject }),
};

const bodies = { ...serverBodies, ...clearinghouseBodies };

export type ServerMessageType = keyof typeof serverBodies;
export type ClearinghouseMessageType = keyof typeof clearinghouseBodies;
/** What a message is about: there is one for each body. */
export type MessageType = ServerMessageType | ClearinghouseMessageType;

/** The body of messages of one type. */
export type BodyOf<Type extends MessageType> = ReadonlyDeep<Static<(typeof bodies)[Type]>>;

export const messageTypes = Object.keys(bodies) as readonly MessageType[];

/** Whether messages of this type come from license servers; the others come from the clearinghouse. */
export function isServerMessage(type: MessageType): type is ServerMessageType {
  return Object.hasOwn(serverBodies, type);
}

const parsers = new Map<string, Parser<unknown>>(
  Object.entries(bodies).map(([type, schema]) => [type, parserOf(schema)]),
);

/** Checks the body of a message of this type; the error says what is wrong with it. */
export function parseBody<Type extends MessageType>(type: Type, body: unknown) {
  const parse = parsers.get(type) as Parser<BodyOf<Type>>;
  return parse(body);
}
