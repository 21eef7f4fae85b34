/** Certificates for tests, made when they are needed: X.509 in DER, with a key on the curve P-256. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"

/** A certificate and its private key, in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Who a certificate is of, and who signs it. */
export interface CertificateOptions {
  readonly name: string
  /** Host names and addresses of IPv4 that it is for. */
  readonly hosts?: ReadonlyArray<string>
  /** Absent: it signs itself, and is an authority. */
  readonly issuer?: Certificate & { readonly name: string }
  readonly notAfter?: Date
}

const tlv = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>) => tlv(0x30, ...parts)
const hex = (text: string) => Buffer.from(text, "hex")
const commonName = hex("0603550403")
const basicConstraints = hex("0603551d13")
const subjectAlternativeName = hex("0603551d11")
const ecdsaWithSha256 = sequence(hex("06082a8648ce3d040302"))

const nameOf = (text: string) => sequence(tlv(0x31, sequence(commonName, tlv(0x0c, Buffer.from(text)))))
/** GeneralizedTime. */
const time = (date: Date) => tlv(0x18, Buffer.from(`${date.toISOString().replace(/\D/g, "").slice(0, 14)}Z`))
const hostOf = (host: string) =>
  /^[\d.]+$/.test(host) ? tlv(0x87, Buffer.from(host.split(".").map(Number))) : tlv(0x82, Buffer.from(host))
const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`

let serial = 0

/** Makes a certificate. */
export const makeCertificate = (options: CertificateOptions): Certificate & { readonly name: string } => {
  const { hosts = [], issuer, name, notAfter = new Date("2100-01-01") } = options
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const signer: KeyObject = issuer === undefined ? privateKey : createPrivateKey(issuer.key)
  const extension = issuer === undefined
    ? sequence(basicConstraints, hex("0101ff"), tlv(0x04, sequence(hex("0101ff"))))
    : sequence(subjectAlternativeName, tlv(0x04, sequence(...hosts.map(hostOf))))
  const body = sequence(
    hex("a003020102"),
    tlv(0x02, Buffer.from([0x01, ++serial])),
    ecdsaWithSha256,
    nameOf(issuer?.name ?? name),
    sequence(time(new Date("2020-01-01")), time(notAfter)),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(extension))
  )
  const signature = tlv(0x03, hex("00"), sign("sha256", body, signer))
  return {
    name,
    cert: pem(sequence(body, ecdsaWithSha256, signature)),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}
