/** Writes a folder as a zip file, in the same way on every system: no `zip` command, and the same bytes for the same files. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, sep } from "node:path"
import { crc32, deflateRawSync } from "node:zlib"

/** 1 January 1980, the first day that a zip file knows. */
const day = 0x21
const utf8 = 0x800
const deflated = 8
/** Made on Unix, so that the file modes are read. */
const version = (3 << 8) | 20

const numbers = (...fields: ReadonlyArray<readonly [size: 2 | 4, value: number]>): Buffer => {
  const buffer = Buffer.alloc(fields.reduce((sum, [size]) => sum + size, 0))
  let at = 0
  for (const [size, value] of fields) {
    at = buffer.writeUIntLE(value, at, size)
  }
  return buffer
}

/** A file that begins with `#!` is a program, whatever the file system of this machine says. */
const modeOf = (bytes: Buffer): number => bytes.subarray(0, 2).toString() === "#!" ? 0o100755 : 0o100644

/** Puts all files of a folder into one zip file, with paths from that folder. */
export const writeZip = (folder: string, file: string): void => {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .sort()
  const parts: Array<Buffer> = []
  const directory: Array<Buffer> = []
  let at = 0
  for (const path of names) {
    const bytes = readFileSync(path)
    const name = Buffer.from(path.slice(folder.length + 1).split(sep).join("/"))
    const data = deflateRawSync(bytes, { level: 9 })
    const shared = numbers(
      [2, utf8],
      [2, deflated],
      [2, 0],
      [2, day],
      [4, crc32(bytes)],
      [4, data.length],
      [
        4,
        bytes.length
      ],
      [2, name.length],
      [2, 0]
    )
    const local = Buffer.concat([numbers([4, 0x04034b50], [2, 20]), shared, name, data])
    parts.push(local)
    directory.push(
      numbers([4, 0x02014b50], [2, version], [2, 20]),
      shared,
      numbers([2, 0], [2, 0], [2, 0], [4, modeOf(bytes) * 0x10000], [4, at]),
      name
    )
    at += local.length
  }
  if (names.length >= 0xffff || at >= 0xffffffff) {
    throw new Error("There are too many files, or too large ones, for a zip.")
  }
  const index = Buffer.concat(directory)
  const end = numbers(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, names.length],
    [2, names.length],
    [4, index.length],
    [4, at],
    [2, 0]
  )
  writeFileSync(file, Buffer.concat([...parts, index, end]))
}
