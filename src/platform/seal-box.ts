/** Seals small secrets under a key that does not lie beside them (protocol §5.1, §7.4). */

export interface SealBox {
  /** Encrypts and authenticates; `purpose` keeps one kind of secret from being taken for another. */
  readonly seal: (purpose: string, secret: Uint8Array) => Uint8Array;
  /** Opens what `seal` made; throws where it was altered or sealed elsewhere. */
  readonly unseal: (purpose: string, sealed: Uint8Array) => Uint8Array;
}
