import Foundation

extension RecordingList {
  /// Leaves out recordings whose bytes are those of an earlier one: a copy would be held out and trained on at once.
  mutating func leaveOutCopies() {
    let sizes = items.map { RecordingIdentity(of: $0.path, named: $0.name)?.size }
    let alone = Dictionary(sizes.map { ($0, 1) }, uniquingKeysWith: +).filter { $0.value == 1 }
    // By size and a piece from the middle, so that a hundred thousand clips of one length are not compared in pairs.
    var seen: [Key: [Item]] = [:]
    var kept: [Item] = []
    for (item, size) in zip(items, sizes) {
      guard let size, size > 0, alone[size] == nil, let sum = Self.middle(of: item.path, size: size) else {
        kept.append(item)
        continue
      }
      let key = Key(size: size, middle: sum)
      if let same = seen[key]?.first(where: { $0.path != item.path && Self.holdTheSame($0.path, item.path) })
      {
        copies.append((item.name, same.name))
      } else {
        seen[key, default: []].append(item)
        kept.append(item)
      }
    }
    items = kept
  }

  private struct Key: Hashable {
    var size: Int
    var middle: UInt32
  }

  /// What to tell about ``copies``; nil where there are none.
  public var noteOfCopies: String? {
    guard let first = copies.first else { return nil }
    return copies.count == 1
      ? "\(first.name) is a copy of \(first.original) and was left out"
      : "\(copies.count) recordings are copies of others and were left out, such as \(first.name), a copy of "
        + first.original
  }

  /// A sum over four kilobytes; nil where they cannot be read.
  private static func middle(of path: String, size: Int) -> UInt32? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard (try? file.seek(toOffset: UInt64(size / 2))) != nil, let block = try? file.read(upToCount: 1 << 12)
    else {
      return nil
    }
    return CRC32C.checksum([UInt8](block))
  }

  /// How many files of some have the bytes of one of others.
  public static func countOfCopies(_ paths: [String], of others: [String]) -> Int {
    func keyed(_ path: String) -> Key? {
      guard let size = RecordingIdentity(of: path, named: path)?.size,
        let sum = middle(of: path, size: size)
      else { return nil }
      return Key(size: size, middle: sum)
    }
    var known: [Key: [String]] = [:]
    for path in others { if let key = keyed(path) { known[key, default: []].append(path) } }
    return paths.count { path in
      keyed(path).flatMap { known[$0] }?.contains { $0 == path || holdTheSame($0, path) } ?? false
    }
  }

  private static func holdTheSame(_ a: String, _ b: String) -> Bool {
    guard let first = FileHandle(forReadingAtPath: a), let second = FileHandle(forReadingAtPath: b) else {
      return false
    }
    defer {
      try? first.close()
      try? second.close()
    }
    while true {
      guard let x = try? first.read(upToCount: 1 << 18) ?? Data(),
        let y = try? second.read(upToCount: 1 << 18) ?? Data(), x == y
      else { return false }
      if x.isEmpty { return true }
    }
  }
}
