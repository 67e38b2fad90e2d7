import ArgumentParser
import LegatoModels

extension GenerationDefaults {
  /// Throws what a person typed wrong where one of the values of an option that may be repeated makes no sense.
  static func validate(_ values: [Float], as setting: WritableKeyPath<GenerationDefaults, Float>) throws {
    for value in values {
      var defaults = GenerationDefaults()
      defaults[keyPath: setting] = value
      if let problem = defaults.problem { throw ValidationError(problem) }
    }
  }
}
