#pragma once

#include "core/jobs/job.h"
#include "core/model/template.h"

namespace jaild::templates {

/// An import or a removal that is under way.
class Job : public jobs::Job {
public:
    explicit Job(model::Template subject) : subject_(std::move(subject)) {}

    /// As it was when the job began.
    [[nodiscard]] const model::Template& subject() const { return subject_; }

private:
    const model::Template subject_;
};

/// Errc::conflict "interrupted": what an interrupted job ends with.
inline Error interrupted_error() {
    return Error{.code = Errc::conflict, .op = "import", .detail = "it was cancelled", .reason = "interrupted"};
}

}  // namespace jaild::templates
