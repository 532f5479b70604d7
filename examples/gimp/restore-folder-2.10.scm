; Restores all PNG and JPEG pictures of a folder with GIMP 2.10, and writes them as PNG into another one:
;
;   gimp-console-2.10 -i -d -f -b '(load "restore-folder-2.10.scm") (kds-restore-folder "photos" "restored")' \
;                     -b '(gimp-quit 1)'
;
; A picture that fails does not keep the others from being restored. GIMP's exit code says nothing of what a script did; what
; failed is on standard error.

(define (kds-restore-file file result)
  (let* ((image (car (gimp-file-load RUN-NONINTERACTIVE file file)))   ; upright, as its EXIF says
         (layer (car (gimp-image-get-active-layer image))))
    (if (= INDEXED (car (gimp-image-base-type image))) (gimp-image-convert-rgb image))
    (plug-in-kds-restore RUN-NONINTERACTIVE image layer
                         ""      ; model: the first that can do this
                         0 0     ; particles and steps: the model's own
                         -1 ""   ; strength and bandwidth of steering: the model's own
                         0       ; seed
                         "auto"  ; device
                         0       ; output: 0 replaces the layer
                         FALSE   ; no layer of confidence
                         0 0     ; quality and what to favour: balanced
                         100     ; amount: all of the result
                         0)      ; enlargement: the model's own
    (file-png-save-defaults RUN-NONINTERACTIVE image layer result result)
    (gimp-image-delete image)))

(define (kds-last char text)                   ; where it stands last, or -1
  (let loop ((at (- (string-length text) 1)))
    (if (or (< at 0) (char=? char (string-ref text at))) at (loop (- at 1)))))

(define (kds-after char text) (substring text (+ 1 (kds-last char text)) (string-length text)))

(define (kds-ending name) (list->string (map char-downcase (string->list (kds-after #\. name)))))

(define (kds-keep wanted? items)
  (cond ((null? items) '())
        ((wanted? (car items)) (cons (car items) (kds-keep wanted? (cdr items))))
        (else (kds-keep wanted? (cdr items)))))

(define (kds-entries folder)                   ; no pattern, in which the folder's own name could be taken for one
  (let* ((stream (dir-open-stream folder))
         (entries (let loop ((entry (dir-read-entry stream)))
                    (if (eof-object? entry) '() (cons entry (loop (dir-read-entry stream)))))))
    (dir-close-stream stream)
    entries))

; What `kds restore photos -o restored --format png` calls the results: a.b.jpg becomes a.b.png, but a.b.jpg.png where there
; is another a.b.png.
(define (kds-result name names)
  (define (first name)
    (if (string=? (kds-ending name) "png") name (string-append (substring name 0 (kds-last #\. name)) ".png")))
  (let* ((wanted (first name))
         (rivals (kds-keep (lambda (other) (string=? wanted (first other))) names)))
    (if (or (string=? wanted name) (null? (cdr rivals))) wanted (string-append name ".png"))))

(define (kds-restore-folder source target)
  (define (path name) (string-append source "/" name))
  (define (picture? name)
    (and (not (char=? #\. (string-ref name 0)))
         (member (kds-ending name) '("png" "jpg" "jpeg"))
         (= FILE-TYPE-FILE (file-type (path name)))))
  (define names (kds-keep picture? (kds-entries source)))
  (define reason "")
  (define failed "")
  (define hook *error-hook*)
  (define (try name)
    (catch (set! failed (string-append failed "\n" (path name) ": " reason))
           (kds-restore-file (path name) (string-append target "/" (kds-result name names)))))
  (if (string=? source target) (error "the results would replace the pictures: name another folder"))
  (set! *error-hook* (lambda message (set! reason (car message)) (apply throw message)))
  (for-each try names)
  (set! *error-hook* hook)
  (if (not (string=? failed "")) (error (string-append "not restored:" failed))))
