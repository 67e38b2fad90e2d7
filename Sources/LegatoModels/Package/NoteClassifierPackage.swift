import LegatoTensor

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A folder with a ``NoteClassifier``: `config.json`, `classifier.safetensors`, and a card.
public struct NoteClassifierPackage: Sendable {
  /// Where it ships, from the repository's root.
  public static let shipped = "Models/legato-listener"
  static let weightsFile = "classifier.safetensors"

  public let path: String
  public let configuration: NoteClassifierFile
  public let classifier: NoteClassifier
  /// SHA-256 of the file of weights.
  public let sha256: String

  /// Loads a package. Throws ``PackageError``, ``ModelError`` or a safetensors error that names file and remedy.
  public init(path: String) throws {
    self.path = path
    configuration = try PackageFiles.configuration(in: path, kind: "classifier")
    if let problem = configuration.classifier.problem {
      throw PackageError(damaged: path + "/config.json", problem)
    }
    let weights = try PackageFiles.weights(path + "/" + Self.weightsFile)
    classifier = try NoteClassifier(configuration.classifier, weights: weights)
    sha256 = weights.file.sha256()
  }

  /// Writes a package, every weight in its own format: `card` becomes its README.md.
  public static func write(
    to path: String, configuration: NoteClassifierFile, weights: [Weight], card: String
  ) throws {
    try PackageFiles.writeFolder(path) { folder in
      try SafetensorsWriter.write(weights, to: folder + "/" + weightsFile)
      try PackageFiles.write(configuration, to: folder + "/config.json")
      try PackageFiles.write(text: card, to: folder + "/README.md")
    }
  }
}

/// What `config.json` of a classifier's folder says.
public struct NoteClassifierFile: Codable, Sendable, Hashable {
  public var formatVersion = ModelPackage.formatVersion
  public var kind = "classifier"
  public var name: String
  public var licence: String
  public var classifier: NoteClassifierConfiguration
  public var training: TrainingRecord?
  /// On pieces that were not trained on, by what they are.
  public var accuracy: [String: NoteAccuracy] = [:]

  public init(name: String, licence: String, classifier: NoteClassifierConfiguration) {
    (self.name, self.licence, self.classifier) = (name, licence, classifier)
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case kind, name, licence, classifier, training, accuracy
  }
}

/// How often a ``NoteClassifier`` is right about pieces that it was not trained on.
public struct NoteAccuracy: Codable, Sendable, Hashable {
  public var pieces = 0
  /// Seconds of them that it heard.
  public var windows = 0
  /// Of the instruments that sound, the share that is among as many most likely ones; in seconds, and in pieces by the
  /// mean of their seconds' logits. Nil for instruments that it was never told of.
  public var instrument: Double?
  public var instrumentOfPiece: Double?
  /// The same of their families.
  public var family = 0.0
  public var familyOfPiece = 0.0
  /// Of the keys that it names in a second, the share that sounds; and of those that sound, the share that it names.
  public var keyPrecision = 0.0
  public var keyRecall = 0.0

  /// Harmonic mean of precision and recall.
  public var keyF1: Double {
    keyPrecision + keyRecall > 0 ? 2 * keyPrecision * keyRecall / (keyPrecision + keyRecall) : 0
  }

  public init() {}

  /// In one line, as a person reads it.
  public var summary: String {
    func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
    let named =
      instrument.map {
        "instrument \(percent($0))" + (instrumentOfPiece.map { " (\(percent($0)) of pieces)" } ?? "") + ", "
      } ?? ""
    return named
      + "family \(percent(family)) (\(percent(familyOfPiece)) of pieces), keys F1 \(percent(keyF1)) "
      + "(precision \(percent(keyPrecision)), recall \(percent(keyRecall))); \(windows) seconds of \(pieces) pieces"
  }

  enum CodingKeys: String, CodingKey {
    case pieces, windows, instrument, family
    case instrumentOfPiece = "instrument_of_piece"
    case familyOfPiece = "family_of_piece"
    case keyPrecision = "key_precision"
    case keyRecall = "key_recall"
  }
}
