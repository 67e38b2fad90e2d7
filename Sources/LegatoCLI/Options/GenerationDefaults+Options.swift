import ArgumentParser
import LegatoModels

extension GenerationDefaults {
  /// Throws what a person typed wrong where one of the values of an option that may be repeated makes no sense.
  static func validate<Value>(_ values: [Value], as setting: WritableKeyPath<GenerationDefaults, Value>)
    throws
  {
    for value in values {
      var defaults = GenerationDefaults()
      defaults[keyPath: setting] = value
      if let problem = defaults.problem { throw ValidationError(problem) }
    }
  }
}
